import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import mysql from 'mysql2'
import type { FieldPacket, PoolConnection, PrepareStatementInfo } from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import t from 'tap'
import { called, compareExample, failureOf } from './support/examples.ts'
import { startMariadb } from './support/mariadb-server.ts'

// mysql2's documentation (sidorares.github.io/node-mysql2), page by page; its README has no examples of its own.

const server = await startMariadb(t)
const options = { host: '127.0.0.1', port: server.port, user: 'root', database: 'test' }

const setUp = await mysqlPromise.createConnection({ ...options, database: 'mysql', multipleStatements: true })
await setUp.query('create database test; use test; create table `table` (`name` varchar(50), `age` int); insert into `table` values (\'Page\', 46), (\'Rick C-137\', 70), (\'Morty\', 15)')
await setUp.end()

const fieldsOf = (fields: FieldPacket[]): unknown => fields.map(({ name, columnType, table }) => [name, columnType, table])
const select = 'SELECT * FROM `table` WHERE `name` = ? AND `age` > ?'

await compareExample(t, 'Quickstart: First Query', 6, async instrument => {
  const connection = instrument(await mysqlPromise.createConnection(options))
  const [results, fields] = await connection.query('SELECT * FROM `table` WHERE `name` = "Page" AND `age` > 45')
  const [placed] = await connection.query(select, ['Page', 45])
  const seen: unknown[] = [results, fieldsOf(fields), placed, await failureOf(connection.query('SELEC 1 + 1'))]
  await connection.end()

  const callbacks = instrument(mysql.createConnection(options))
  const [rows, packets] = await called(done => callbacks.query('SELECT * FROM `table` WHERE `name` = "Page" AND `age` > 45', done))
  seen.push(rows, fieldsOf(packets), await called(done => callbacks.query(select, ['Page', 45], done)).then(([rows]) => rows))
  seen.push(await failureOf(called(done => callbacks.execute('SELEC 1 + 1', done))))
  await called(done => callbacks.end(done))
  return seen
})

await compareExample(t, 'Quickstart and Prepared Statements: execute(), unprepare(), prepare()', 9, async instrument => {
  const connection = instrument(await mysqlPromise.createConnection(options))
  const [results, fields] = await connection.execute(select, ['Rick C-137', 53])
  const [sum] = await connection.execute('select ?+? as sum', [2, 2])
  const seen: unknown[] = [results, fieldsOf(fields), sum]
  const prepared = await connection.prepare('select ? + ? as tests')
  seen.push((await prepared.execute([1, 2]))[0])
  await prepared.close()
  await connection.end()

  const callbacks = instrument(mysql.createConnection(options))
  seen.push((await called(done => callbacks.execute(select, ['Rick C-137', 53], done)))[0])
  seen.push((await called(done => callbacks.execute('select 1 + ? + ? as result', [5, 6], done)))[0])
  callbacks.unprepare('select 1 + ? + ? as result')
  seen.push((await called(done => callbacks.execute('select 1 + ? + ? as result', [5, 6], done)))[0])
  const [statement] = await called(done => callbacks.prepare('select ? + ? as tests', done)) as [PrepareStatementInfo]
  const executed = called(done => statement.execute([1, 2], done))
  statement.close()
  seen.push((await executed)[0])
  for (const values of [[1, null, 3], [3, null, 3]]) seen.push((await called(done => callbacks.execute('select ?+1 as qqq, ? as rrr, ? as yyy', values, done)))[0])
  await called(done => callbacks.end(done))
  return seen
})

await compareExample(t, 'Quickstart: connection pools', 7, async instrument => {
  const settings = { ...options, waitForConnections: true, connectionLimit: 10, maxIdle: 10, idleTimeout: 60_000, queueLimit: 0, enableKeepAlive: true, keepAliveInitialDelay: 0 }
  const pool = instrument(mysqlPromise.createPool(settings))
  const [rows, fields] = await pool.query('SELECT `age` FROM `table`')
  const seen: unknown[] = [rows, fieldsOf(fields)]
  const connection = await pool.getConnection()
  seen.push((await connection.query('SELECT 1 AS one'))[0])
  pool.releaseConnection(connection)
  await Promise.all([pool.query('select sleep(0.02)'), pool.query('select sleep(0.03)')])
  await pool.end()

  const callbacks = instrument(mysql.createPool(settings))
  seen.push((await called(done => callbacks.query('SELECT `age` FROM `table`', done)))[0])
  const [one] = await called(done => callbacks.getConnection(done)) as [PoolConnection]
  seen.push((await called(done => one.query('SELECT 1 AS one', done)))[0])
  callbacks.releaseConnection(one)
  const [other] = await called(done => callbacks.getConnection(done)) as [PoolConnection]
  seen.push(other === one, (await called(done => other.query({ sql: 'SELECT 1 AS `foo`, 2 AS `foo`', rowsAsArray: true }, done)))[0])
  other.release()
  await called(done => callbacks.end(done))
  return seen
})

await compareExample(t, 'Promise Wrapper: promise(), a Promise of the application\'s own, chains', 5, async instrument => {
  class OwnPromise<T> extends Promise<T> {}
  const connection = instrument(await mysqlPromise.createConnection({ ...options, Promise: OwnPromise }))
  const running = connection.execute(select, ['Morty', 14])
  const seen: unknown[] = [running instanceof OwnPromise, (await running)[0]]
  await connection.end()

  const pool = instrument(mysql.createPool(options)).promise()
  seen.push((await pool.query('SELECT 1'))[0])
  seen.push(await pool.getConnection().then(connection => {
    const answer = connection.query('select `age` from `table`')
    connection.release()
    return answer
  }).then(([rows]) => rows))
  await pool.end()

  const single = instrument(mysql.createConnection(options))
  seen.push(await single.promise().query('SELECT 1').then(([rows]) => rows).finally(() => single.end()))
  seen.push(await mysqlPromise.createConnection(options).then(async connection => {
    const [rows] = await instrument(connection).query('show databases')
    await connection.end()
    return rows
  }))
  return seen
})

await compareExample(t, 'Array Results, Named Placeholders', 7, async instrument => {
  const arrays = instrument(await mysqlPromise.createConnection({ ...options, rowsAsArray: true }))
  const seen: unknown[] = [(await arrays.query('SELECT 1 AS `foo`, 2 AS `foo`'))[0]]
  await arrays.end()
  const connection = instrument(mysql.createConnection(options))
  const [rows, fields] = await called(done => connection.query({ sql: 'SELECT 1 AS `foo`, 2 AS `foo`', rowsAsArray: true }, done))
  seen.push(rows, fieldsOf(fields))
  connection.config.namedPlaceholders = true
  seen.push((await called(done => connection.execute('select :x + :y as z', { x: 1, y: 2 }, done)))[0])
  seen.push((await called(done => connection.execute('select :x + :x as z', { x: 1 }, done)))[0])
  seen.push((await called(done => connection.query('select :x + :x as z', { x: 1 }, done)))[0])
  seen.push((await called(done => connection.query('select ? + ? as z', [1, 1], done)))[0])
  connection.destroy()
  const promised = instrument(await mysqlPromise.createConnection({ ...options, namedPlaceholders: true }))
  seen.push((await promised.execute('select 1+:toAdd as qqq', { toAdd: 10 }))[0])
  await promised.end()
  return seen
})

await compareExample(t, 'Extra Features: LOAD DATA from a stream, a transport of the application\'s own, rows one by one', 6, async instrument => {
  const connection = instrument(mysql.createConnection({ ...options, stream: () => connect(server.port, '127.0.0.1') }))
  await called(done => connection.query('create temporary table rows_read (id int, title varchar(50))', done))
  const infileStreamFactory = (path: string): Readable => Readable.from([Buffer.from(`1,${path}\n2,two\n`)])
  const sql = 'LOAD DATA LOCAL INFILE "mystream" INTO TABLE rows_read FIELDS TERMINATED BY ? (id, title)'
  const [{ affectedRows }] = await called(done => connection.query({ sql, values: [','], infileStreamFactory }, done))
  const seen: unknown[] = [affectedRows]
  seen.push(await failureOf(called(done => connection.query(sql, [','], done))))
  seen.push(await connection.query('select * from rows_read').stream().toArray())
  const rows = connection.query('select title from rows_read').on('result', row => seen.push(row)).on('fields', fields => seen.push(fieldsOf(fields as unknown as FieldPacket[])))
  await once(rows, 'end')
  seen.push((await called(done => connection.query('SELECT 1+1 as test1', done)))[0])
  connection.destroy()
  return seen
})

await compareExample(t, 'TypeScript examples: multiple statements, procedures, ResultSetHeader', 14, async instrument => {
  const connection = instrument(await mysqlPromise.createConnection({ ...options, multipleStatements: true, rowsAsArray: true }))
  await connection.query('DROP TABLE IF EXISTS `users`;')
  await connection.query('CREATE TABLE `users` (`id` INT(11) AUTO_INCREMENT, `name` VARCHAR(50), `age` INT, PRIMARY KEY (`id`));')
  const [inserted] = await connection.execute('INSERT INTO `users`(`name`) VALUES(?), (?), (?), (?);', ['Josh', 'John', 'Marie', 'Gween'])
  const [rows] = await connection.query('SELECT * FROM `users` ORDER BY `name` ASC LIMIT 2; SELECT * FROM `users` ORDER BY `name` ASC LIMIT 2 OFFSET 2;')
  await connection.query('DROP PROCEDURE IF EXISTS getUsers')
  await connection.query('CREATE PROCEDURE getUsers() BEGIN SELECT * FROM users ORDER BY name ASC; END')
  const [called] = await connection.query('CALL getUsers()')
  const seen: unknown[] = [inserted, rows, called]
  const values = ['Josh', 19, 'Page', 45]
  const insert = 'INSERT INTO `users`(`name`, `age`) VALUES (?, ?), (?,?)'
  seen.push((await connection.execute({ sql: insert, values }))[0], (await connection.execute({ sql: insert }, values))[0], (await connection.query(insert, values))[0])
  seen.push((await connection.execute('UPDATE `users` SET `age` = ? WHERE `name` = ? LIMIT 1', [20, 'Josh']))[0])
  seen.push((await connection.query('UPDATE `users` SET `age` = 20 WHERE `name` = "Josh" LIMIT 1'))[0])
  seen.push((await connection.execute('DELETE FROM `users` WHERE `name` = ? LIMIT 1', ['Page']))[0])
  seen.push((await connection.query('DELETE FROM `users` WHERE `name` = "Page" LIMIT 1'))[0])
  await connection.end()
  return seen
})

await compareExample(t, 'createPoolCluster: getConnection(), of()', 8, async instrument => {
  const cluster = instrument(mysqlPromise.createPoolCluster())
  cluster.add('clusterA', `mysql://root@127.0.0.1:${server.port}/test`)
  const connection = await cluster.getConnection('clusterA')
  const seen: unknown[] = [(await connection.query('SELECT 1'))[0]]
  connection.release()
  seen.push((await cluster.of('clusterA').query('SELECT SLEEP(0.01) AS `www`'))[0], (await cluster.of('clusterA').execute('SELECT SLEEP(?) AS `www`', [0]))[0])
  await cluster.end()

  const callbacks = instrument(mysql.createPoolCluster())
  callbacks.add('clusterA', options)
  const [one] = await called(done => callbacks.getConnection('clusterA', done)) as [PoolConnection]
  seen.push((await called(done => one.query('SELECT 1', done)))[0])
  one.release()
  const namespace = callbacks.of('clusterA')
  const executed = ['www', 'qqq', 'qqq'].map(name => called(done => (namespace as unknown as mysql.Pool).execute(`SELECT SLEEP(0.01) AS \`${name}\``, done)))
  for (const [rows] of await Promise.all(executed)) seen.push(rows)
  seen.push(await failureOf(called(done => (callbacks.of('nobody') as unknown as mysql.Pool).execute('SELECT 1', done))))
  await called(done => callbacks.end(done))
  return seen
})

await compareExample(t, 'Reset Connection', 4, async instrument => {
  const connection = instrument(await mysqlPromise.createConnection(options))
  await connection.query('SET @user_id = 123')
  await connection.reset()
  const [rows] = await connection.query('SELECT @user_id as val')
  await connection.end()
  const pool = instrument(mysqlPromise.createPool({ ...options, connectionLimit: 1, resetOnRelease: true }))
  const first = await pool.getConnection()
  await first.query('SET @secret = \'sensitive_data\'')
  first.release()
  const second = await pool.getConnection()
  const [others] = await second.query('SELECT @secret as val')
  second.release()
  await pool.end()
  return [rows, others]
})
