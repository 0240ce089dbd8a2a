import Database from 'better-sqlite3'
import t from 'tap'
import { dbContract } from './db-contract.ts'
import { openSqlite, sqlite, sqliteFile } from './support/sqlite-subject.ts'

const file = sqliteFile(t)

dbContract(t, {
  ...sqlite,
  title: 'better-sqlite3 Statement',
  open: () => openSqlite(new Database(file), (database, sql) => {
    const statement = database.prepare(sql)
    return statement.reader ? statement.all() : statement.run()
  })
})

dbContract(t, {
  ...sqlite,
  title: 'better-sqlite3 exec() and iterate()',
  open: () => openSqlite(new Database(file), (database, sql) => /^select/.test(sql) ? [...database.prepare(sql).iterate()] : database.exec(sql))
})
