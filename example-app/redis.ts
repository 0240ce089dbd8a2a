import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'

/** Nothing that is kept in Redis is worth waiting for: without it, requests go on. */
export function connectRedis (app: FastifyInstance, url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, connectTimeout: 500, enableOfflineQueue: false })
  redis.on('error', (error) => app.log.warn(`Redis: ${error.message}`))
  app.addHook('onClose', async () => redis.disconnect())
  return redis
}
