import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'

/** Limits for routes that ask for one in `config.rateLimit`: in memory, or in Redis where several processes share them. */
export async function addLimits (app: FastifyInstance, redisUrl: string | undefined): Promise<void> {
  const redis = redisUrl === undefined ? undefined : connect(app, redisUrl)
  await app.register(rateLimit, { global: false, skipOnError: true, ...redis && { redis, nameSpace: 'fastify-vitals-example-' } })
}

function connect (app: FastifyInstance, url: string): Redis {
  // Limits are no reason to keep somebody waiting: without Redis, requests pass.
  const redis = new Redis(url, { maxRetriesPerRequest: 0, connectTimeout: 500, enableOfflineQueue: false })
  redis.on('error', (error) => app.log.warn(`Redis: ${error.message}`))
  app.addHook('onClose', async () => redis.disconnect())
  return redis
}
