import type { ClientAdapter } from './client-adapter.ts'
import { ioredis } from './caches/ioredis.ts'
import { cacheable, keyv } from './caches/keyv.ts'
import { drizzle } from './databases/drizzle.ts'
import { knex } from './databases/knex.ts'
import { lruCache } from './caches/lru-cache.ts'
import { mongodb } from './databases/mongodb.ts'
import { mysql2 } from './databases/mysql2.ts'
import { nodeRedis } from './caches/node-redis.ts'
import { pg } from './databases/pg.ts'
import { prisma } from './databases/prisma.ts'
import { sequelize } from './databases/sequelize.ts'
import { sqlite } from './databases/sqlite.ts'
import { typeorm } from './databases/typeorm.ts'

/** Every client that can be instrumented: a new one has its file and its line here. */
export const ADAPTERS: readonly ClientAdapter[] = [ioredis, cacheable, drizzle, keyv, knex, lruCache, mongodb, mysql2, nodeRedis, pg, prisma, sequelize, sqlite, typeorm]
