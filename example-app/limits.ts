import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { connectRedis } from './redis.ts'

/** Limits for routes that ask for one in `config.rateLimit`: in memory, or in Redis where several processes share them. */
export async function addLimits (app: FastifyInstance, redisUrl: string | undefined): Promise<void> {
  const redis = redisUrl === undefined ? undefined : connectRedis(app, redisUrl)
  await app.register(rateLimit, { global: false, skipOnError: true, ...redis && { redis, nameSpace: 'fastify-vitals-example-' } })
}
