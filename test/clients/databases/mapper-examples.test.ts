import { PrismaPg } from '@prisma/adapter-pg'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgTable, varchar } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { DataTypes, Model, Sequelize } from 'sequelize'
import t from 'tap'
import { DataSource, EntitySchema } from 'typeorm'
import { compareExample, failureOf } from './support/examples.ts'
import { startPostgres } from './support/postgres-server.ts'
import { generatePrisma } from './support/prisma-client.ts'

// What the READMEs and documentations of drizzle, sequelize, typeorm and Prisma show first.

const postgres = await startPostgres(t)
const { url: connectionString } = postgres

async function run (...texts: string[]): Promise<void> {
  const client = new pg.Client(connectionString)
  await client.connect()
  for (const text of texts) await client.query(text)
  await client.end()
}

await compareExample(t, 'drizzle: Get Started with PostgreSQL', 6, async instrument => {
  await run('drop table if exists people', 'create table people (id integer primary key generated always as identity, name varchar(255) not null, age integer not null, email varchar(255) not null unique)')
  const usersTable = pgTable('people', {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    name: varchar({ length: 255 }).notNull(),
    age: integer().notNull(),
    email: varchar({ length: 255 }).notNull().unique()
  })
  const db = instrument(drizzle(connectionString))
  const { rows } = await db.execute('select 1')
  const user: typeof usersTable.$inferInsert = { name: 'John', age: 30, email: 'john@example.com' }
  const { rowCount } = await db.insert(usersTable).values(user)
  const seen: unknown[] = [rows, rowCount, await db.select().from(usersTable)]
  seen.push((await db.update(usersTable).set({ age: 31 }).where(eq(usersTable.email, user.email))).rowCount)
  seen.push(await db.delete(usersTable).where(eq(usersTable.email, user.email)).returning())
  const error = await db.insert(usersTable).values({ ...user, name: null as unknown as string }).then(() => undefined, (error: Error) => error)
  seen.push(error?.constructor.name, error?.message, (error?.cause as { code?: string } | undefined)?.code)
  await (db.$client as pg.Pool).end()
  return seen
})

await compareExample(t, 'sequelize: Getting Started, Model Basics, Querying, Transactions', 16, async instrument => {
  await run('drop table if exists "Users"', 'create table if not exists "Users" (id serial primary key, "firstName" varchar(255) not null, "lastName" varchar(255))')
  const sequelize = instrument(new Sequelize(connectionString, { logging: false }))
  await sequelize.authenticate()
  class User extends Model {}
  User.init({ firstName: { type: DataTypes.STRING, allowNull: false }, lastName: { type: DataTypes.STRING } }, { sequelize, modelName: 'User', timestamps: false })
  const jane = await User.create({ firstName: 'Jane', lastName: 'Doe' })
  const seen: unknown[] = [User === sequelize.models['User'], jane instanceof User, jane.toJSON(), jane.get('firstName')]
  const bulk = await User.bulkCreate([{ firstName: 'Jack', lastName: 'Sparrow' }, { firstName: 'Davy', lastName: 'Jones' }])
  const all = await User.findAll({ order: ['id'] })
  seen.push(bulk.length, all.every(user => user instanceof User), JSON.stringify(all))
  seen.push(await User.update({ lastName: 'Doe' }, { where: { lastName: 'Jones' } }), await User.destroy({ where: { firstName: 'Jane' } }))
  jane.set('lastName', 'Gone')
  seen.push(await User.findAndCountAll({ where: { lastName: 'Doe' }, limit: 1 }).then(({ count, rows }) => [count, rows.map(row => row.toJSON())]))
  seen.push(await User.findOrCreate({ where: { firstName: 'Davy' } }).then(([user, isNew]) => [user.toJSON(), isNew]))
  seen.push(await failureOf(User.create({})).then(([name]) => name))
  seen.push(await sequelize.query('SELECT "firstName" FROM "Users" ORDER BY id', { type: 'SELECT' }))
  seen.push(await failureOf(sequelize.transaction(async transaction => {
    await User.create({ firstName: 'Abraham' }, { transaction })
    throw new Error('rolled back')
  })).then(([, , message]) => message), await User.count())
  await sequelize.close()
  return seen
})

await compareExample(t, 'typeorm: README', 15, async instrument => {
  await run('drop table if exists "user"', 'create table "user" (id serial primary key, "firstName" varchar not null, "lastName" varchar not null, age integer not null)')
  interface Person { id: number, firstName: string, lastName: string, age: number }
  const User = new EntitySchema<Person>({ name: 'user', columns: { id: { type: 'integer', primary: true, generated: true }, firstName: { type: String }, lastName: { type: String }, age: { type: Number } } })
  const dataSource = instrument(new DataSource({ type: 'postgres', url: connectionString, entities: [User] }))
  await dataSource.initialize()
  const userRepository = dataSource.getRepository(User)
  const user = userRepository.create({ firstName: 'Timber', lastName: 'Saw', age: 25 })
  await userRepository.save(user)
  const seen: unknown[] = [user, await userRepository.find(), await userRepository.findOneBy({ id: 1 }), await userRepository.findOneBy({ firstName: 'Timber', lastName: 'Saw' })]
  seen.push(await userRepository.createQueryBuilder('user').where('user.age > :age', { age: 20 }).getMany())
  await userRepository.remove(user)
  await dataSource.manager.transaction(async manager => { await manager.getRepository(User).save({ firstName: 'Me', lastName: 'Too', age: 1 }) })
  seen.push(await userRepository.count())
  await dataSource.destroy()
  return seen
})

const { PrismaClient } = generatePrisma(t, `
model Author {
  id    Int     @id @default(autoincrement())
  email String  @unique
  name  String?
  posts Post[]
}
model Post {
  id        Int     @id @default(autoincrement())
  title     String
  published Boolean @default(false)
  author    Author? @relation(fields: [authorId], references: [id])
  authorId  Int?
}
`)

await compareExample(t, 'Prisma: Quickstart', 6, async instrument => {
  await run('drop table if exists "Post"', 'drop table if exists "Author"')
  await run('create table "Author" (id serial primary key, email text not null unique, name text)', 'create table "Post" (id serial primary key, title text not null, published boolean not null default false, "authorId" integer references "Author")')
  const prisma = instrument(new PrismaClient({ adapter: new PrismaPg({ connectionString }) })) as unknown as Record<'author' | 'post', Record<string, (args?: object) => Promise<unknown>>> & { $disconnect (): Promise<void> }
  const { author, post } = prisma
  const alice = await author['create']!({ data: { name: 'Alice', email: 'alice@prisma.io', posts: { create: { title: 'Hello World' } } }, include: { posts: true } })
  const seen: unknown[] = [alice, await author['findMany']!({ include: { posts: true } })]
  seen.push(await post['update']!({ where: { id: 1 }, data: { published: true } }), await post['findUnique']!({ where: { id: 1 } }))
  seen.push(await failureOf(author['create']!({ data: { email: 'alice@prisma.io' } })).then(([name]) => name), await author['count']!())
  await prisma.$disconnect()
  return seen
})
