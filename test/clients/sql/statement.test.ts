import t from 'tap'
import { parseStatement } from '../../../lib/clients/sql/statement.ts'
import type { SqlDialect } from '../../../lib/clients/sql/statement.ts'
import { Random } from '../../support/random.ts'

type Line = readonly [sql: string, operation: string, table?: string]

const dialects: readonly SqlDialect[] = ['postgresql', 'mysql', 'sqlite', 'ansi']

/** The same in all dialects, where none is named. */
const groups: Readonly<Record<string, { only?: readonly SqlDialect[], lines: readonly Line[] }>> = {
  'the four that everybody uses': {
    lines: [
      ['SELECT * FROM users', 'SELECT', 'users'],
      ['select id from users where id = 1', 'SELECT', 'users'],
      ['SELECT * FROM users u JOIN orders o ON o.user_id = u.id', 'SELECT', 'users'],
      ['SELECT a.x, b.y FROM one AS a, two AS b', 'SELECT', 'one'],
      ['SELECT 1', 'SELECT'],
      ['SELECT * FROM users;', 'SELECT', 'users'],
      ['SELECT count(*), max(from_date) FROM salaries', 'SELECT', 'salaries'],
      ['SELECT t.from, t.update FROM mails t', 'SELECT', 'mails'],
      ['SELECT DISTINCT a FROM b', 'SELECT', 'b'],
      ['\ufeffSELECT a FROM b', 'SELECT', 'b'],
      ['\ufeff-- first\nDELETE FROM b', 'DELETE', 'b'],
      ['\ufeff', 'other'],
      ['SELECT 1 UNION SELECT a FROM b', 'SELECT', 'b'],
      ['SELECT a INTO b FROM c', 'SELECT', 'c'],
      ['INSERT INTO users (id, name) VALUES (1, \'x\')', 'INSERT', 'users'],
      ['INSERT INTO users(id) SELECT id FROM others', 'INSERT', 'users'],
      ['INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = excluded.a', 'INSERT', 't'],
      ['INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 2', 'INSERT', 't'],
      ['INSERT OR REPLACE INTO t VALUES (1)', 'INSERT', 't'],
      ['INSERT OR IGNORE INTO t VALUES (1)', 'INSERT', 't'],
      ['INSERT LOW_PRIORITY IGNORE t SET a = 1', 'INSERT', 't'],
      ['REPLACE INTO t VALUES (1)', 'REPLACE', 't'],
      ['MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1', 'MERGE', 't'],
      ['UPDATE users SET a = 1', 'UPDATE', 'users'],
      ['UPDATE ONLY users SET a = 1', 'UPDATE', 'users'],
      ['UPDATE LOW_PRIORITY users SET a = 1', 'UPDATE', 'users'],
      ['UPDATE OR ROLLBACK users SET a = 1', 'UPDATE', 'users'],
      ['UPDATE a JOIN b ON a.id = b.id SET a.x = 1', 'UPDATE', 'a'],
      ['UPDATE SET a = 1', 'UPDATE'],
      ['DELETE FROM users', 'DELETE', 'users'],
      ['DELETE FROM ONLY users WHERE id = 1', 'DELETE', 'users'],
      ['DELETE u FROM users u JOIN gone g ON g.id = u.id', 'DELETE', 'users']
    ]
  },
  'queries in queries': {
    lines: [
      ['SELECT * FROM (SELECT a, b FROM c) x', 'SELECT', 'c'],
      ['SELECT * FROM ONLY (SELECT a FROM c) x', 'SELECT', 'c'],
      ['SELECT * FROM (SELECT 1) x JOIN d ON true', 'SELECT', 'd'],
      ['SELECT * FROM (VALUES (1), (2)) v (n), d', 'SELECT', 'd'],
      ['SELECT * FROM ((a JOIN b ON a.x = b.x) JOIN c ON true)', 'SELECT', 'a'],
      ['SELECT (SELECT max(x) FROM inner_table) FROM outer_table', 'SELECT', 'outer_table'],
      ['SELECT (SELECT max(x) FROM inner_table)', 'SELECT', 'inner_table'],
      ['SELECT 1 WHERE EXISTS (SELECT 1 FROM e)', 'SELECT', 'e'],
      ['(SELECT a FROM b) UNION (SELECT c FROM d)', 'SELECT', 'b'],
      ['(SELECT 1) UNION (SELECT c FROM d)', 'SELECT', 'd'],
      ['((((SELECT a FROM b))))', 'SELECT', 'b'],
      ['SELECT * FROM a, LATERAL (SELECT 1) x', 'SELECT', 'a'],
      ['SELECT * FROM LATERAL (SELECT 1 FROM a) x', 'SELECT', 'a'],
      ['INSERT INTO t (SELECT * FROM s)', 'INSERT', 't']
    ]
  },
  'what is no table': {
    lines: [
      ['SELECT * FROM generate_series(1, 2)', 'SELECT'],
      ['SELECT * FROM generate_series(1, 2) g, users', 'SELECT', 'users'],
      ['SELECT * FROM generate_series(1, 2) g CROSS JOIN users', 'SELECT', 'users'],
      ['SELECT * FROM f(1) g STRAIGHT_JOIN users', 'SELECT', 'users'],
      ['SELECT * FROM s.f(1)', 'SELECT'],
      ['SELECT * FROM ROWS FROM (f(1), g(2)) x', 'SELECT'],
      ['SELECT * FROM (f(1) CROSS JOIN (g(2) CROSS JOIN users)) x', 'SELECT', 'users'],
      ['SELECT EXTRACT(YEAR FROM born) FROM people', 'SELECT', 'people'],
      ['SELECT EXTRACT(YEAR FROM now())', 'SELECT'],
      ['SELECT SUBSTRING(a FROM 1), TRIM(BOTH \' \' FROM b)', 'SELECT'],
      ['SELECT SUBSTRING((SELECT x FROM y) FROM 2)', 'SELECT', 'y'],
      ['SELECT a IS DISTINCT FROM b, c IS NOT DISTINCT FROM d', 'SELECT'],
      ['SELECT 1 FROM DUAL', 'SELECT'],
      ['SELECT 1 FROM ?', 'SELECT'],
      ['SELECT @from, x, :from, y', 'SELECT'],
      ['SELECT f(1) FROM g(2) ORDER BY a, b', 'SELECT'],
      ['SELECT (a, from_b) FROM', 'SELECT'],
      ['SELECT 1 FROM a.1', 'SELECT'],
      ['UPDATE ? SET a = 1', 'UPDATE'],
      ['SELECT x\'00\', n\'from a\', 1e5, 0x1F, .5, 1.5, a::from FROM t', 'SELECT', 't']
    ]
  },
  'common table expressions': {
    lines: [
      ['WITH a AS (SELECT * FROM x) SELECT * FROM a', 'SELECT', 'x'],
      ['WITH a AS (SELECT * FROM x) SELECT * FROM A', 'SELECT', 'x'],
      ['WITH a AS (SELECT * FROM x) SELECT * FROM a JOIN y ON true', 'SELECT', 'y'],
      ['WITH a AS (SELECT * FROM x) SELECT * FROM s.a', 'SELECT', 's.a'],
      ['WITH a AS NOT MATERIALIZED (SELECT * FROM x), b (c, d) AS MATERIALIZED (SELECT * FROM a) SELECT * FROM b', 'SELECT', 'x'],
      ['WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n', 'SELECT'],
      ['WITH RECURSIVE n (i) AS (SELECT id FROM tree UNION ALL SELECT t.id FROM n JOIN tree t ON true) SELECT i FROM n', 'SELECT', 'tree'],
      ['WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a', 'INSERT', 't'],
      ['WITH a AS (SELECT * FROM x) UPDATE t SET b = 1 FROM a', 'UPDATE', 't'],
      ['WITH a AS (SELECT * FROM x) UPDATE a SET b = 1, c = 2', 'UPDATE', 'x'],
      ['WITH a AS (SELECT * FROM x) DELETE FROM t USING a', 'DELETE', 't'],
      ['WITH moved AS (DELETE FROM x RETURNING *) INSERT INTO y SELECT * FROM moved', 'INSERT', 'y'],
      ['WITH made AS (INSERT INTO x VALUES (1) RETURNING *) SELECT * FROM made', 'SELECT', 'x'],
      ['WITH a AS (WITH b AS (SELECT * FROM x) SELECT * FROM b) SELECT * FROM a', 'SELECT', 'x'],
      ['SELECT * FROM (WITH b AS (SELECT * FROM x) SELECT * FROM b) c', 'SELECT', 'x'],
      ['(WITH a AS (SELECT * FROM x) SELECT * FROM a)', 'SELECT', 'x'],
      ['WITH a AS (SELECT 1) SELECT 1', 'SELECT'],
      ['WITH a', 'other'],
      ['WITH a AS (SELECT * FROM x) FROBNICATE', 'other', 'x']
    ]
  },
  'shadows of a common table expression': {
    only: ['postgresql', 'mysql', 'ansi'],
    lines: [
      ['WITH users AS (SELECT * FROM users WHERE a) SELECT * FROM users', 'SELECT', 'users'],
      ['WITH users (a) AS (SELECT a FROM users) SELECT * FROM users', 'SELECT', 'users']
    ]
  },
  'recursion without a word': { only: ['sqlite'], lines: [['WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n', 'SELECT']] },
  definitions: {
    lines: [
      ['CREATE TABLE t (id int)', 'CREATE', 't'],
      ['CREATE TABLE IF NOT EXISTS t (id int)', 'CREATE', 't'],
      ['CREATE UNLOGGED TABLE s.t AS SELECT * FROM u', 'CREATE', 's.t'],
      ['CREATE TEMPORARY TABLE t (id int)', 'CREATE', 't'],
      ['CREATE OR REPLACE VIEW v AS SELECT * FROM t', 'CREATE', 'v'],
      ['CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)', 'CREATE', 't'],
      ['CREATE INDEX ON ONLY s.t USING btree (a)', 'CREATE', 's.t'],
      ['CREATE TRIGGER g AFTER UPDATE OF a ON t EXECUTE FUNCTION f()', 'CREATE', 't'],
      ['CREATE DATABASE d', 'CREATE'],
      ['CREATE USER u IDENTIFIED BY \'secret\'', 'CREATE'],
      ['CREATE FUNCTION f() RETURNS TABLE (a int) AS \'SELECT 1\'', 'CREATE'],
      ['ALTER TABLE IF EXISTS ONLY t ADD COLUMN a int', 'ALTER', 't'],
      ['DROP TABLE IF EXISTS a, b', 'DROP', 'a'],
      ['DROP INDEX i', 'DROP'],
      ['TRUNCATE TABLE t', 'TRUNCATE', 't'],
      ['TRUNCATE t, u', 'TRUNCATE', 't'],
      ['COMMENT ON TABLE t IS \'secret\'', 'COMMENT', 't'],
      ['REFRESH MATERIALIZED VIEW CONCURRENTLY v', 'REFRESH', 'v'],
      ['RENAME TABLE a TO b', 'RENAME', 'a']
    ]
  },
  'all the rest': {
    lines: [
      ['EXPLAIN SELECT * FROM t', 'EXPLAIN', 't'],
      ['EXPLAIN ANALYZE UPDATE t SET a = 1', 'EXPLAIN', 't'],
      ['EXPLAIN (ANALYZE, FORMAT JSON) WITH a AS (SELECT * FROM x) SELECT * FROM a', 'EXPLAIN', 'x'],
      ['EXPLAIN (SELECT * FROM t)', 'EXPLAIN', 't'],
      ['ANALYZE TABLE t', 'ANALYZE', 't'],
      ['DESCRIBE t', 'DESCRIBE', 't'],
      ['DESC SELECT * FROM t', 'DESC', 't'],
      ['COPY t (a, b) FROM STDIN', 'COPY', 't'],
      ['COPY (SELECT * FROM t) TO STDOUT', 'COPY', 't'],
      ['COPY (DELETE FROM t RETURNING *) TO STDOUT', 'COPY'],
      ['LOCK TABLE ONLY t IN SHARE MODE', 'LOCK', 't'],
      ['LOAD DATA INFILE \'/secret\' INTO TABLE t', 'LOAD', 't'],
      ['TABLE t', 'TABLE', 't'],
      ['PREPARE p AS SELECT * FROM t', 'PREPARE', 't'],
      ['PREPARE p FROM \'SELECT 1 FROM t\'', 'PREPARE'],
      ['DECLARE c CURSOR FOR SELECT * FROM t', 'DECLARE', 't'],
      ['FETCH 10 FROM c', 'FETCH'],
      ['EXECUTE p(1)', 'EXECUTE'],
      ['CALL proc(1)', 'CALL'],
      ['VALUES (1), (2)', 'VALUES'],
      ['SET search_path TO secret', 'SET'],
      ['SHOW TABLES FROM secret', 'SHOW'],
      ['PRAGMA table_info(users)', 'PRAGMA'],
      ['VACUUM', 'VACUUM'],
      ['LISTEN channel', 'LISTEN'],
      ['NOTIFY channel, \'secret\'', 'NOTIFY'],
      ['FROBNICATE TABLE t', 'other'],
      ['', 'other'],
      [' \n\t ; ;; ', 'other'],
      ['-- nothing', 'other'],
      ['/* nothing', 'other'],
      ['?', 'other'],
      ['? SELECT a FROM b', 'other'],
      ['? (SELECT a FROM b)', 'other', 'b'],
      [') , SELECT a FROM b', 'SELECT', 'b'],
      ['"SELECT" a FROM b', 'other'],
      ['SELECTALLTHEWORDSTHATTHEREARE FROM b', 'other']
    ]
  },
  'what MySQL describes': {
    only: ['mysql'],
    lines: ['EXPLAIN', 'DESCRIBE', 'DESC'].flatMap((word): Line[] => [
      [word, word],
      [`${word} t`, word, 't'],
      [`${word} s.t`, word, 's.t'],
      [`${word} t a`, word, 't'],
      [`${word} t 'a%'`, word, 't'],
      [`${word} format`, word, 'format'],
      [`${word} format a`, word, 'format'],
      [`${word} \`select\``, word, 'select'],
      [`${word} SELECT * FROM t`, word, 't'],
      [`${word} (SELECT * FROM t)`, word, 't'],
      [`${word} FORMAT=JSON SELECT * FROM t`, word, 't'],
      [`${word} FORMAT = 'brief' SELECT * FROM t`, word, 't'],
      [`${word} FORMAT=TREE (SELECT * FROM t)`, word, 't'],
      [`${word} FORMAT=JSON INTO @v SELECT * FROM t`, word, 't'],
      [`${word} ANALYZE SELECT * FROM t`, word, 't'],
      [`${word} ANALYZE FORMAT=TREE SELECT * FROM t`, word, 't'],
      [`${word} EXTENDED SELECT * FROM t`, word, 't'],
      [`${word} EXTENDED (SELECT * FROM t)`, word, 't'],
      [`${word} PARTITIONS UPDATE t SET a = 1`, word, 't'],
      [`${word} UPDATE t SET a = 1`, word, 't'],
      [`${word} INSERT INTO t VALUES (1)`, word, 't'],
      [`${word} REPLACE INTO t VALUES (1)`, word, 't'],
      [`${word} DELETE FROM t`, word, 't'],
      [`${word} TABLE t`, word, 't'],
      [`${word} WITH a AS (SELECT * FROM x) SELECT * FROM t`, word, 't'],
      [`${word} FORMAT=JSON WITH a AS (SELECT * FROM x) SELECT * FROM a`, word, 'x'],
      [`${word} FOR CONNECTION 5`, word],
      [`${word} FORMAT=JSON FOR CONNECTION 5`, word],
      [`${word} FORMAT=JSON`, word]
    ])
  },
  'what MySQL lacks': {
    only: ['postgresql', 'sqlite', 'ansi'],
    lines: [
      ['EXPLAIN QUERY PLAN DELETE FROM t', 'EXPLAIN', 't'],
      ['COPY BINARY t FROM STDIN', 'COPY', 't'],
      ['COPY BINARY s.t TO STDOUT', 'COPY', 's.t'],
      ['COPY t FROM STDIN WITH BINARY', 'COPY', 't'],
      ['COPY "binary" TO STDOUT', 'COPY', 'binary'],
      ['COPY INTO t FROM STDIN', 'COPY', 't'],
      ['UPDATE binary SET a = 1', 'UPDATE', 'binary'],
      ['INSERT INTO binary VALUES (1)', 'INSERT', 'binary']
    ]
  },
  'maintenance in PostgreSQL': {
    only: ['postgresql'],
    lines: [
      ['LOCK s.t', 'LOCK', 's.t'],
      ['LOCK ONLY t, u IN SHARE MODE NOWAIT', 'LOCK', 't'],
      ['LOCK ONLY (t)', 'LOCK', 't'],
      ['LOCK TABLE t *', 'LOCK', 't'],
      ['ANALYZE', 'ANALYZE'],
      ['ANALYZE t', 'ANALYZE', 't'],
      ['ANALYZE VERBOSE s.t (a, b), u', 'ANALYZE', 's.t'],
      ['ANALYZE VERBOSE', 'ANALYZE'],
      ['ANALYZE "verbose"', 'ANALYZE', 'verbose'],
      ['ANALYZE ONLY t', 'ANALYZE', 't'],
      ['ANALYZE (VERBOSE, SKIP_LOCKED) t', 'ANALYZE', 't'],
      ['ANALYZE (BUFFER_USAGE_LIMIT \') secret\', VERBOSE false) ONLY s.t', 'ANALYZE', 's.t'],
      ['ANALYZE (a (b), c) t', 'ANALYZE', 't'],
      ['ANALYZE (VERBOSE)', 'ANALYZE'],
      ['ANALYZE (VERBOSE; SELECT a) t', 'ANALYZE'],
      ['ANALYZE (VERBOSE', 'ANALYZE'],
      ['ANALYZE \'secret\' t', 'ANALYZE'],
      ['VACUUM t', 'VACUUM', 't'],
      ['VACUUM FULL FREEZE VERBOSE ANALYZE t (a)', 'VACUUM', 't'],
      ['VACUUM (FULL, PARALLEL 2) t', 'VACUUM', 't'],
      ['CLUSTER', 'CLUSTER'],
      ['CLUSTER VERBOSE', 'CLUSTER'],
      ['CLUSTER t USING secret', 'CLUSTER', 't'],
      ['CLUSTER (VERBOSE) s.t', 'CLUSTER', 's.t']
    ]
  },
  'maintenance elsewhere': {
    only: ['mysql', 'sqlite', 'ansi'],
    lines: [
      ['ANALYZE index_or_schema', 'ANALYZE'],
      ['ANALYZE NO_WRITE_TO_BINLOG TABLE s.t, u', 'ANALYZE', 's.t'],
      ['ANALYZE LOCAL TABLE t', 'ANALYZE', 't'],
      ['ANALYZE FORMAT=JSON SELECT a FROM t', 'ANALYZE', 't'],
      ['LOCK TABLES t READ, u WRITE', 'LOCK', 't'],
      ['LOCK INSTANCE FOR BACKUP', 'LOCK'],
      ['VACUUM main', 'VACUUM'],
      ['CLUSTER t', 'CLUSTER'],
      ['VACUUM INTO \'/secret\'', 'VACUUM']
    ]
  },
  'what nothing is selected of': {
    lines: [
      ['SELECT FROM t', 'SELECT', 't'],
      ['SELECT ALL FROM t', 'SELECT', 't'],
      ['SELECT DISTINCT FROM t', 'SELECT', 't'],
      ['SELECT a AS distinct FROM t', 'SELECT', 't'],
      ['SELECT a distinct FROM t', 'SELECT', 't'],
      ['SELECT a IS DISTINCT FROM b FROM t', 'SELECT', 't'],
      ['SELECT a IS NOT /* c */ DISTINCT /* d */ FROM b FROM t', 'SELECT', 't'],
      ['SELECT FROM a WHERE b IS DISTINCT FROM c', 'SELECT', 'a']
    ]
  },
  'escapes of ODBC': {
    lines: [
      ['SELECT * FROM {OJ a LEFT OUTER JOIN b ON a.id = b.id} WHERE a.id = 1', 'SELECT', 'a'],
      ['SELECT * FROM { oj s.a LEFT OUTER JOIN b ON true }', 'SELECT', 's.a'],
      ['SELECT * FROM {OJ (a LEFT JOIN b ON true)}', 'SELECT', 'a'],
      ['SELECT * FROM {OJ (SELECT 1) x LEFT JOIN b ON true}', 'SELECT', 'b'],
      ['SELECT * FROM f(1), {OJ oj LEFT JOIN b ON true}', 'SELECT', 'oj'],
      ['UPDATE {OJ a LEFT JOIN b ON true} SET a.x = 1', 'UPDATE', 'a'],
      ['SELECT {d \'2020-01-01\'}, {fn now()} FROM oj', 'SELECT', 'oj'],
      ['SELECT * FROM {OJ \'secret\' a}', 'SELECT'],
      ['SELECT * FROM {\'secret\' a}', 'SELECT'],
      ['SELECT * FROM {OJ}', 'SELECT'],
      ['{call SELECT a FROM b}', 'other'],
      ['SELECT * FROM {', 'SELECT'],
      ['SELECT * FROM {; SELECT * FROM a', 'SELECT']
    ]
  },
  'an escape of ODBC with a quoted word': { only: ['mysql'], lines: [['SELECT * FROM {`OJ` `a`}', 'SELECT', 'a']] },
  comments: {
    lines: [
      ['/* route=\'/secret\' */ SELECT * FROM t', 'SELECT', 't'],
      ['SELECT * /* FROM a */ FROM t', 'SELECT', 't'],
      ['SELECT * -- FROM a\n FROM t', 'SELECT', 't'],
      ['SELECT/*+ INDEX(a) */* FROM/**/t/**/', 'SELECT', 't'],
      ['SELECT /*! STRAIGHT_JOIN */ * FROM t', 'SELECT', 't'],
      ['-- first\n-- second\nSELECT * FROM t -- third', 'SELECT', 't'],
      ['SELECT 1 / 2 - 3 FROM t', 'SELECT', 't'],
      ['SELECT 1 FROM s . /* here */ t', 'SELECT', 's.t'],
      ['SELECT 1 FROM -', 'SELECT'],
      ['SELECT 1 FROM /', 'SELECT']
    ]
  },
  'comments in comments': { only: ['postgresql'], lines: [['/* a /* b */ SELECT 1 FROM c */ SELECT 1 FROM t', 'SELECT', 't']] },
  'no comments in comments': { only: ['mysql', 'sqlite', 'ansi'], lines: [['/* a /* b */ SELECT 1 FROM c', 'SELECT', 'c']] },
  'comments of MySQL': {
    only: ['mysql'],
    lines: [
      ['# FROM a\nSELECT 1 FROM t', 'SELECT', 't'],
      ['SELECT 5--3 FROM t', 'SELECT', 't'],
      ['SELECT 5-- 3 FROM a\n FROM t', 'SELECT', 't'],
      ['SELECT 1 FROM t --', 'SELECT', 't']
    ]
  },
  'comments that MySQL carries out': {
    only: ['mysql'],
    lines: [
      ['/*!40000 ALTER TABLE `t` DISABLE KEYS */', 'ALTER', 't'],
      ['/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1 */', 'CREATE', 't'],
      ['SELECT a FROM /*!50000 t */ WHERE b = 1', 'SELECT', 't'],
      ['SELECT a FROM /*M!100100 t*/', 'SELECT', 't'],
      ['SELECT a/*!, \'*/ FROM a\' */ FROM t', 'SELECT', 't'],
      ['SELECT /*! a /* FROM b */ */ FROM t', 'SELECT', 't'],
      ['SELECT a /*Minor! FROM b */ FROM t', 'SELECT', 't'],
      ['SELECT a FROM /*!', 'SELECT'],
      ['SELECT a */ FROM t', 'SELECT', 't']
    ]
  },
  'comments that are none elsewhere': { only: ['postgresql', 'sqlite', 'ansi'], lines: [['SELECT a FROM /*!50000 b */ t', 'SELECT', 't'], ['SELECT a FROM /*M!50000 b */ t', 'SELECT', 't']] },
  'operators that look like comments of MySQL': { only: ['postgresql', 'sqlite', 'ansi'], lines: [['SELECT a # b FROM t', 'SELECT', 't'], ['SELECT 5--3 FROM a\n FROM t', 'SELECT', 't']] },
  literals: {
    lines: [
      ['SELECT \' FROM a\' FROM t', 'SELECT', 't'],
      ['SELECT \'it\'\'s FROM a\' FROM t', 'SELECT', 't'],
      ['SELECT \'-- /* ;\' FROM t', 'SELECT', 't'],
      ['SELECT \' FROM a', 'SELECT'],
      ['SELECT * FROM \'t\'', 'SELECT'],
      ['INSERT INTO \'t\' VALUES (1)', 'INSERT'],
      ['SELECT 1 FROM a WHERE b IS DISTINCT FROM \'secret\'', 'SELECT', 'a']
    ]
  },
  'literals of PostgreSQL': {
    only: ['postgresql'],
    lines: [
      ['SELECT E\'\\\' FROM a\' FROM t', 'SELECT', 't'],
      ['SELECT e\'\\\\\' FROM t', 'SELECT', 't'],
      ['SELECT \'\\\' FROM t', 'SELECT', 't'],
      ['SELECT name\' FROM a\' FROM t', 'SELECT', 't'],
      ['SELECT $$ FROM a $$ FROM t', 'SELECT', 't'],
      ['SELECT $body$ FROM $$ a $bod$ $bodyy$ $body$ FROM t', 'SELECT', 't'],
      ['SELECT $1, a$b$ FROM t', 'SELECT', 't'],
      ['SELECT $a$ FROM t', 'SELECT'],
      ['SELECT $a FROM t', 'SELECT', 't'],
      ['SELECT a[1:2], b @> c FROM t', 'SELECT', 't'],
      ['SELECT $a$ $a', 'SELECT']
    ]
  },
  'literals of MySQL': {
    only: ['mysql'],
    lines: [
      ['SELECT \'\\\' FROM a\' FROM t', 'SELECT', 't'],
      ['SELECT "it\\"s FROM a" FROM t', 'SELECT', 't'],
      ['SELECT " FROM a"" FROM b" FROM t', 'SELECT', 't'],
      ['SELECT * FROM "t"', 'SELECT'],
      ['SELECT \'\\', 'SELECT']
    ]
  },
  'names in PostgreSQL': {
    only: ['postgresql'],
    lines: [
      ['SELECT 1 FROM Users', 'SELECT', 'users'],
      ['SELECT 1 FROM "Users"', 'SELECT', 'Users'],
      ['SELECT 1 FROM Public . "My ""Table"""', 'SELECT', 'public.My "Table"'],
      ['SELECT 1 FROM größe_Ä', 'SELECT', 'größe_Ä'],
      ['SELECT 1 FROM "from"', 'SELECT', 'from'],
      ['INSERT INTO "ignore" VALUES (1)', 'INSERT', 'ignore'],
      ['INSERT INTO "a""b" VALUES (1)', 'INSERT', 'a"b'],
      ['SELECT 1 FROM U&"d\\0061ta"', 'SELECT'],
      ['SELECT 1 FROM u&"d!0061ta" UESCAPE \'!\', others', 'SELECT'],
      ['SELECT U&"d\\0061ta" FROM t', 'SELECT', 't'],
      ['SELECT U&\'d\\0061ta FROM a\', u & b FROM u', 'SELECT', 'u'],
      ['SELECT 1 FROM s.U&"d\\0061ta"', 'SELECT'],
      ['WITH U&"d" AS (SELECT 1 FROM x) SELECT 1 FROM U&"d"', 'SELECT', 'x'],
      ['SELECT 1 FROM U&"d\\0061ta".t', 'SELECT'],
      ['SELECT 1 FROM ""', 'SELECT'],
      ['SELECT 1 FROM s.""', 'SELECT'],
      ['SELECT 1 FROM "unbalanced', 'SELECT']
    ]
  },
  'names in MySQL': {
    only: ['mysql'],
    lines: [
      ['SELECT 1 FROM Users', 'SELECT', 'Users'],
      ['SELECT 1 FROM `Shop`.`Order ``Items`', 'SELECT', 'Shop.Order `Items'],
      ['CREATE DEFINER=`root`@`localhost` TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1', 'CREATE', 't']
    ]
  },
  'names in SQLite': { only: ['sqlite'], lines: [['SELECT 1 FROM "Users"', 'SELECT', 'users'], ['SELECT 1 FROM Main.[My Table]', 'SELECT', 'main.my table'], ['SELECT 1 FROM `a`', 'SELECT', 'a']] },
  'names elsewhere': { only: ['ansi'], lines: [['SELECT 1 FROM Dbo.[My Table]]s]', 'SELECT', 'dbo.My Table]s'], ['SELECT 1 FROM db..t', 'SELECT']] },
  'several statements': {
    lines: [
      ['SELECT 1 FROM a; DELETE FROM b', 'SELECT', 'a'],
      ['; SELECT 1 FROM a', 'SELECT', 'a'],
      ['BEGIN; INSERT INTO t VALUES (1)', 'INSERT', 't'],
      ['SAVEPOINT s; INSERT INTO t VALUES (1); RELEASE s', 'INSERT', 't'],
      ['BEGIN; COMMIT', 'BEGIN'],
      ['SET a = 1; SELECT 1 FROM t', 'SET']
    ]
  }
}

const transactions = new Map<string, object>([
  ['BEGIN; INSERT INTO t VALUES (1)', { transaction: 'begin' }],
  ['BEGIN; COMMIT', { transaction: 'commit', earlier: ['begin'] }]
])

const inSqlite = new Map<string, object>([
  ['SAVEPOINT s; INSERT INTO t VALUES (1); RELEASE s', { transaction: { does: 'release', savepoint: 's' }, earlier: [{ does: 'set', savepoint: 's' }] }]
])

for (const [name, { only = dialects, lines }] of Object.entries(groups)) {
  t.test(`tells operation and table: ${name}`, async t => {
    for (const [sql, operation, table = 'other'] of lines) {
      for (const dialect of only) t.strictSame(parseStatement(sql, dialect), { operation, table, transaction: undefined, ...transactions.get(sql), ...(dialect === 'sqlite' && inSqlite.get(sql)) }, `${dialect}: ${sql}`)
    }
  })
}

t.test('tells what becomes of the transaction', async t => {
  const lines = {
    begin: ['BEGIN', 'begin work', 'BEGIN IMMEDIATE TRANSACTION', 'BEGIN ISOLATION LEVEL SERIALIZABLE NOT DEFERRABLE', 'START TRANSACTION READ ONLY', '/* x */ BEGIN;', 'ROLLBACK; BEGIN', 'COMMIT AND CHAIN', 'ROLLBACK WORK AND CHAIN', 'COMMIT AND CHAIN NO RELEASE'],
    commit: ['COMMIT', 'commit work', 'END', 'END TRANSACTION', 'COMMIT AND NO CHAIN', 'COMMIT AND NO CHAIN NO RELEASE', 'BEGIN; INSERT INTO t VALUES (\'; ROLLBACK\'); COMMIT', 'SELECT 1; COMMIT;'],
    rollback: ['ROLLBACK', 'ROLLBACK WORK', 'ABORT', 'ROLLBACK AND NO CHAIN', 'BEGIN; SELECT 1; ROLLBACK'],
    undefined: ['SELECT 1', 'ROLLBACK TO SAVEPOINT a', 'ROLLBACK TRANSACTION TO a', 'SAVEPOINT a', 'RELEASE SAVEPOINT a', 'SET autocommit = 0', 'PREPARE TRANSACTION \'x\'', 'COMMIT PREPARED \'x\'', 'ROLLBACK PREPARED \'x\'',
      'XA START \'x\'', 'START SLAVE', 'SELECT \'; COMMIT\'', 'SELECT 1 -- ; COMMIT', 'BEGIN NOT ATOMIC DELETE FROM a; COMMIT; END']
  }
  for (const [transaction, texts] of Object.entries(lines)) {
    for (const sql of texts) t.equal(String(parseStatement(sql, 'postgresql').transaction), transaction, sql)
  }
})

t.test('tells all that a text does to transactions, in order', async t => {
  const sql = 'INSERT INTO t VALUES (1); COMMIT; SAVEPOINT a; ROLLBACK TO a; BEGIN; UPDATE t SET a = \'; COMMIT\'; ROLLBACK; START TRANSACTION'
  t.match(parseStatement(sql, 'postgresql'), { operation: 'INSERT', transaction: 'begin', earlier: ['begin', 'commit', 'begin', 'rollback'] })
  t.match(parseStatement('SELECT 1; COMMIT; COMMIT; SELECT 2; ROLLBACK', 'postgresql'), { transaction: 'rollback', earlier: ['begin', 'commit', 'commit', 'begin'] }, 'also those that begin by themselves')
  t.match(parseStatement('BEGIN; COMMIT AND CHAIN; ROLLBACK AND CHAIN', 'mysql'), { transaction: 'begin', earlier: ['begin', 'commit', 'begin', 'rollback'] }, 'also those that are chained')
})

t.test('tells savepoints where they can begin a transaction', async t => {
  const sql = 'SAVEPOINT a; SELECT 1; ROLLBACK TO SAVEPOINT "B"; ROLLBACK TRANSACTION TO c; RELEASE SAVEPOINT D; RELEASE e'
  t.strictSame(parseStatement(sql, 'sqlite'), {
    operation: 'SELECT',
    table: 'other',
    transaction: { does: 'release', savepoint: 'e' },
    earlier: [{ does: 'set', savepoint: 'a' }, { does: 'return', savepoint: 'b' }, { does: 'return', savepoint: 'c' }, { does: 'release', savepoint: 'd' }]
  })
  t.equal(parseStatement(sql, 'mysql').transaction, undefined)
})

t.test('does not take the block of a routine for statements', async t => {
  const texts: [string, string, string?][] = [
    ['CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE u SET a = 1; DELETE FROM v; END; COMMIT', 't'],
    ['CREATE PROCEDURE p() BEGIN START TRANSACTION; DELETE FROM v; COMMIT; END', 'other'],
    ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT 1; END', 'other'],
    ['CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql; COMMIT', 'other', 'commit']
  ]
  for (const [sql, table, transaction] of texts) t.strictSame(parseStatement(sql, 'postgresql'), { operation: 'CREATE', table, transaction, ...(transaction !== undefined && { earlier: ['begin'] }) }, sql)
})

t.test('takes no name that is no fit label', async t => {
  const long = 'a'.repeat(128)
  t.equal(parseStatement(`SELECT 1 FROM ${long}`, 'postgresql').table, long)
  for (const name of [`${long}a`, `"${'a'.repeat(100)}"."${'b'.repeat(28)}"`, '"a\nb"', '"a\u0000b"', '"a\u007fb"', '"a\u0085b"', '\ud800', 'a.', 'a.(1)']) {
    t.strictSame(parseStatement(`SELECT 1 FROM ${name}`, 'postgresql'), { operation: 'SELECT', table: 'other', transaction: undefined }, JSON.stringify(name))
  }
})

t.test('takes no name that is cut where reading ends', async t => {
  const limit = 16_384
  for (const tail of ['users', 'users ', 'users where true', 's.users where true', '"users" where true', 's']) {
    for (let inside = 1; inside <= tail.length; inside++) {
      const head = '/*'.padEnd(limit - inside - 17, '-') + '*/ SELECT 1 FROM '
      const { table } = parseStatement(`${head}${tail} ${'x'.repeat(40)}`, 'postgresql')
      t.ok(['other', 'users', 's.users'].includes(table) || (tail.startsWith('s') && table === 'other'), `${inside} of ${tail}: ${table}`)
    }
  }
})

/** A text that counts how often a character of it is read. */
class CountedText extends String {
  reads = 0

  override charCodeAt (index: number): number {
    this.reads++
    return super.charCodeAt(index)
  }

  override lastIndexOf (text: string, from: number): number {
    const index = super.lastIndexOf(text, from)
    this.reads += Math.max(from, 0) - index
    return index
  }

  override slice (start?: number, end?: number): string {
    const part = super.slice(start, end)
    this.reads += part.length
    return part
  }
}

function readsOf (sql: string, dialect: SqlDialect): number {
  const text = new CountedText(sql)
  parseStatement(text as unknown as string, dialect)
  return text.reads
}

const hostile: Readonly<Record<string, string>> = {
  'open parentheses': '(',
  'closed parentheses': ')',
  'queries in queries': '(SELECT a FROM ',
  'expressions in expressions': 'WITH a AS (',
  'single quotes': '\'',
  'doubled quotes': '\'\'',
  'double quotes': '"',
  backticks: '`',
  brackets: '[',
  'backslashes in a literal': 'E\'\\',
  dollars: '$',
  tags: '$a',
  'long tags': `$${'a'.repeat(4_000)}$ $${'a'.repeat(3_999)}b$ `,
  'open comments': '/*',
  'open comments that are carried out': '/*!',
  'ends of comments': '*/',
  'escaped identifiers': 'U&"a\\0061" ',
  'slashes and stars': '/*/',
  'line comments': '--\n',
  hyphens: '-',
  hashes: '#\n',
  dots: 'SELECT 1 FROM a.a.a.a',
  'qualified names': '.a',
  commas: 'FROM ,',
  words: 'a ',
  'one word': 'a',
  controls: 'COMMIT a ',
  statements: ';',
  begins: 'BEGIN;',
  NULs: '\u0000',
  'lone surrogates': '\udc00',
  spaces: ' ',
  numbers: '1.',
  parameters: '?',
  explanations: 'EXPLAIN ',
  maintenance: 'ANALYZE (',
  'options without a table': 'ANALYZE () ',
  'open braces': '{',
  'escapes in escapes': 'SELECT 1 FROM {OJ ',
  'byte order marks': '\ufeff',
  distinction: 'DISTINCT FROM '
}

t.test('reads no character more than a few times, whatever the text', async t => {
  const most = 6 * 16.384
  for (const [name, unit] of Object.entries(hostile)) {
    const slow: unknown[] = []
    for (const start of ['', 'SELECT 1 FROM t; ', 'SELECT ', 'BEGIN; ', 'ANALYZE ', 'SELECT 1 FROM {']) {
      for (const dialect of dialects) {
        const text = (length: number): string => start + unit.repeat(Math.ceil(length / unit.length))
        const [half, full, huge] = [text(8_000), text(16_000), text(1_000_000)].map(sql => readsOf(sql, dialect) / 1_000)
        if (full! > 2.2 * half! + 1 || full! > most || huge! > most) slow.push([dialect, start, half, full, huge])
      }
    }
    t.strictSame(slow, [], name)
  }
})

t.test('never lets a value into a label', async t => {
  const random = new Random(1)
  const alphabet = ['a', 'Z', '0', ' ', '\'', '"', '`', '\\', '$', ';', '--', '/*', '*/', '#', '(', ')', ',', '.', '\n', '\u0000', 'é', '\ud800', '😀', ' FROM ', ' INTO ', ' UPDATE ', 'SELECT ', 'WITH ', 'JOIN ', '$$', '[', ']', '@', ':', '?']
  const literal = (dialect: SqlDialect): string => {
    let text = 'SECRET'
    for (let i = random.below(12); i > 0; i--) text = random.next() < 0.5 ? text + random.pick(alphabet) : random.pick(alphabet) + text
    const quoted = text.replaceAll('\'', '\'\'')
    if (dialect === 'mysql') return random.next() < 0.5 ? `'${quoted.replaceAll('\\', '\\\\')}'` : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
    if (dialect !== 'postgresql') return `'${quoted}'`
    const tag = `$q${random.below(10)}$`
    return random.pick([`'${quoted}'`, `E'${quoted.replaceAll('\\', '\\\\')}'`, text.includes('$') ? `'${quoted}'` : `${tag}${text}${tag}`])
  }
  const shapes = [
    ['SELECT ', ' FROM orders WHERE a = ', ''],
    ['INSERT INTO orders VALUES (', ', ', ')'],
    ['UPDATE orders SET a = ', ' WHERE b = ', ''],
    ['DELETE FROM orders WHERE a = ', ' OR b IN (', ')'],
    ['WITH c AS (SELECT ', ') SELECT ', ' FROM orders'],
    ['SELECT f(', ') FROM (SELECT ', ') x, orders'],
    ['/* ', ' */ SELECT ', ' FROM orders'],
    ['SELECT * FROM ', ', ', ''],
    ['CALL f(', ', ', ')'],
    ['SET a = ', '; SELECT ', ''],
    ['CREATE USER ', ' IDENTIFIED BY ', ''],
    ['COMMENT ON TABLE orders IS ', '; DROP TABLE ', ''],
    ['', '; ', ''],
    ['NOTIFY c, ', ' ', ''],
    ['ANALYZE (BUFFER_USAGE_LIMIT ', ', VERBOSE ', ') orders'],
    ['\ufeffSELECT * FROM {OJ ', ' orders JOIN ', ' ON true}'],
    ['SELECT a AS distinct, b IS DISTINCT FROM ', ', c IS NOT DISTINCT FROM ', ' FROM orders']
  ] as const
  const leaks: unknown[] = []
  for (let round = 0; round < 20_000; round++) {
    const dialect = random.pick(dialects)
    const [first, second, third] = random.pick(shapes)
    const isComment = first === '/* '
    const sql = first + (isComment ? 'SECRET' : literal(dialect)) + second + literal(dialect) + third
    const { operation, table } = parseStatement(sql, dialect)
    if (/secret/i.test(operation + table) || !['orders', 'other'].includes(table)) leaks.push([dialect, sql, operation, table])
  }
  t.strictSame(leaks, [])
})

t.test('never lets a value into a label, in whatever place of whatever statement it stands', async t => {
  const random = new Random(3)
  const values: Readonly<Record<SqlDialect, readonly string[]>> = {
    ansi: ['\'SECRET\'', '\'a\'\'SECRET FROM secret\'', 'N\'SECRET\'', '.5e1SECRET'],
    sqlite: ['\'SECRET\'', 'x\'5EC2E7\'', '?1SECRET', ':SECRET', '@SECRET', '$SECRET'],
    mysql: ['\'SECRET\'', '"SECRET"', '\'\\\'SECRET FROM secret\'', '"a""SECRET"', '_utf8\'SECRET\'', '0xSECRET'],
    postgresql: ['\'SECRET\'', 'E\'\\\'SECRET FROM secret\'', '$$SECRET$$', '$a$ FROM SECRET $b$ $a$', 'U&\'SECRET\'', '\'SECRET\'::text']
  }
  const leaks: unknown[] = []
  let spliced = 0
  for (const { only = dialects, lines } of Object.values(groups)) {
    for (const [sql] of lines) {
      // Elsewhere a place may be within a literal, a comment or a quoted name.
      if (/['"`[$#/\\]|--|\w&/.test(sql)) continue
      for (const dialect of only) {
        for (let place = 0; place <= sql.length; place++) {
          const text = `${sql.slice(0, place)} ${random.pick(values[dialect])} ${sql.slice(place)}`
          const { operation, table } = parseStatement(text, dialect)
          spliced++
          if (/secret/i.test(operation + table)) leaks.push([dialect, text, operation, table])
        }
      }
    }
  }
  t.ok(spliced > 10_000)
  t.strictSame(leaks, [])
})

t.test('tells something fit of any text', async t => {
  const random = new Random(2)
  const parts = Object.values(hostile).concat('SELECT', 'FROM', 'INSERT', 'INTO', 'CREATE', 'TABLE', 'WITH', 'RECURSIVE', 'AS', 'JOIN', 'ON', 'TRIGGER', 'PREPARED', 'users', '"Users"', 'E\'', '$a$', '\n', ';', ',', '.', 'é')
  const unfit: unknown[] = []
  for (let round = 0; round < 20_000; round++) {
    let sql = ''
    for (let i = random.below(20); i > 0; i--) sql += random.pick(parts) + (random.next() < 0.7 ? ' ' : '')
    const { operation, table } = parseStatement(sql, random.pick(dialects))
    if (!/^([A-Z]+|other)$/.test(operation) || table === '' || table.length > 128 || /\p{Cc}/u.test(table) || !table.isWellFormed()) unfit.push([sql, operation, table])
  }
  t.strictSame(unfit, [])
})
