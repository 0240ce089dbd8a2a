/**
 * How the table of a statement is found: behind `FROM`; as what follows at once; by the kind of object that it makes; in the
 * statement that it holds; behind the word `TABLE`; not at all.
 */
export type TableRule = 'from' | 'target' | 'object' | 'statement' | 'table' | 'none'

const WORDS: Readonly<Record<TableRule, string>> = {
  from: 'SELECT DELETE',
  target: 'INSERT REPLACE UPDATE MERGE UPSERT TRUNCATE COPY TABLE DESCRIBE DESC',
  object: 'CREATE ALTER DROP',
  statement: 'EXPLAIN ANALYZE PREPARE DECLARE',
  table: 'LOCK LOAD OPTIMIZE CHECK REPAIR RENAME REINDEX REFRESH COMMENT',
  none: 'VALUES CALL DO EXEC EXECUTE DEALLOCATE SET RESET SHOW USE PRAGMA VACUUM CLUSTER CHECKPOINT DISCARD GRANT REVOKE ATTACH DETACH ' +
    'LISTEN UNLISTEN NOTIFY FETCH MOVE OPEN CLOSE KILL FLUSH PURGE HANDLER UNLOCK IMPORT INSTALL SIGNAL XA ' +
    'BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE'
}

/** The first words of statements: all that `operation` can be, but for `other`. */
export const OPERATIONS: ReadonlyMap<string, TableRule> = new Map(
  Object.entries(WORDS).flatMap(([rule, text]) => text.split(' ').map(word => [word, rule as TableRule] as const))
)

/** Those that control a transaction. */
export const CONTROLS: ReadonlySet<string> = setOf('BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE')

/** What a WITH can precede, and what can be explained. */
export const STATEMENTS: ReadonlySet<string> = setOf('SELECT INSERT UPDATE DELETE REPLACE MERGE VALUES TABLE WITH')

/** What can stand between FROM, JOIN or a comma and a table. */
export const BEFORE_SOURCE: ReadonlySet<string> = setOf('ONLY LATERAL TABLE')

/** What can stand between the first word and its table. */
export const BEFORE_TARGET: ReadonlySet<string> = setOf('INTO ONLY TABLE LOW_PRIORITY HIGH_PRIORITY DELAYED IGNORE OR REPLACE ROLLBACK ABORT FAIL')

/** The same for COPY. */
export const BEFORE_COPIED: ReadonlySet<string> = setOf('INTO BINARY')

/** What can stand between the words of a description and what it is of, besides options that look like a table. */
export const BEFORE_DESCRIBED: ReadonlySet<string> = setOf('ANALYZE')

/** What can stand between PostgreSQL's words of maintenance and a table, besides options in parentheses. */
export const BEFORE_BARE_TARGET: ReadonlySet<string> = setOf('TABLE ONLY FULL FREEZE VERBOSE ANALYZE')

/** What can stand between INTO or ON and a table. */
export const BEHIND_INTO: ReadonlySet<string> = setOf('ONLY TABLE')

/** The kinds of objects that have rows. */
export const TABLES: ReadonlySet<string> = setOf('TABLE TABLES VIEW')

/** What can stand between the kind of an object and its name. */
export const BEFORE_OBJECT: ReadonlySet<string> = setOf('IF NOT EXISTS ONLY CONCURRENTLY')

/** What stands where a table could, and is none. */
export const NO_TABLES: ReadonlySet<string> = setOf('SELECT INSERT UPDATE DELETE WITH VALUES FROM SET WHERE ON USING AS JOIN INNER LEFT RIGHT FULL CROSS NATURAL GROUP ORDER HAVING LIMIT UNION RETURNING DEFAULT DUAL FOR')

/** What ends the list of a FROM. */
export const AFTER_SOURCES: ReadonlySet<string> = setOf('WHERE GROUP ORDER HAVING LIMIT OFFSET FETCH FOR WINDOW UNION INTERSECT EXCEPT RETURNING SET')

/** What can stand between CREATE, ALTER or DROP and the kind of an object. */
export const BEFORE_KIND: ReadonlySet<string> = setOf('OR REPLACE TEMP TEMPORARY GLOBAL LOCAL UNLOGGED EXTERNAL FOREIGN MATERIALIZED VIRTUAL UNIQUE FULLTEXT SPATIAL CLUSTERED NONCLUSTERED ' +
  'CONSTRAINT RECURSIVE IGNORE ONLINE OFFLINE ALGORITHM UNDEFINED MERGE TEMPTABLE DEFINER CURRENT_USER SQL SECURITY INVOKER AGGREGATE')

/** Objects that name their table behind ON. */
export const KINDS_ON_TABLES: ReadonlySet<string> = setOf('INDEX TRIGGER POLICY')

/** Objects whose definition can be a block of statements. */
export const ROUTINES: ReadonlySet<string> = setOf('TRIGGER FUNCTION PROCEDURE EVENT PACKAGE')

function setOf (text: string): ReadonlySet<string> {
  return new Set(text.split(' '))
}
