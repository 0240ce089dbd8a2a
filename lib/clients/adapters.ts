import type { ClientAdapter } from './client-adapter.ts'
import { ioredis } from './ioredis.ts'
import { cacheable, keyv } from './keyv.ts'
import { knex } from './knex.ts'
import { lruCache } from './lru-cache.ts'
import { mongodb } from './mongodb.ts'
import { mysql2 } from './mysql2.ts'
import { nodeRedis } from './node-redis.ts'
import { pg } from './pg.ts'
import { prisma } from './prisma.ts'
import { sqlite } from './sqlite.ts'

/** Every client that can be instrumented: a new one has its file and its line here. */
export const ADAPTERS: readonly ClientAdapter[] = [ioredis, cacheable, keyv, knex, lruCache, mongodb, mysql2, nodeRedis, pg, prisma, sqlite]
