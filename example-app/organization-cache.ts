import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { connectRedis } from './redis.ts'

export interface Organization {
  slug: string
  name: string
  createdAt: string
}

/** Organisations by slug, so that not every look at one is a query. */
export interface OrganizationCache {
  get (slug: string): Promise<Organization | undefined>
  set (organization: Organization): Promise<void>
  delete (slug: string): Promise<void>
}

const keptMs = 30_000
const prefix = 'fastify-vitals-example-organization-'

/** In memory, or in Redis where several processes share it. One line measures either. */
export function createOrganizationCache (app: FastifyInstance, redisUrl: string | undefined): OrganizationCache {
  return redisUrl === undefined ? inMemory(app) : inRedis(app, redisUrl)
}

function inMemory (app: FastifyInstance): OrganizationCache {
  const kept = app.vitals.instrument(new LRUCache<string, Organization>({ max: 1_000, ttl: keptMs }), { name: 'organizations' })
  return {
    get: async (slug) => kept.get(slug),
    set: async (organization) => { kept.set(organization.slug, organization) },
    delete: async (slug) => { kept.delete(slug) },
  }
}

/** A cache that does not answer is one that has nothing. */
function inRedis (app: FastifyInstance, redisUrl: string): OrganizationCache {
  const redis = app.vitals.instrument(connectRedis(app, redisUrl), { name: 'organizations' })
  return {
    async get (slug) {
      const text = await redis.get(prefix + slug).catch(() => null)
      return text === null ? undefined : JSON.parse(text) as Organization
    },
    async set (organization) {
      await redis.set(prefix + organization.slug, JSON.stringify(organization), 'PX', keptMs).catch(() => {})
    },
    async delete (slug) {
      await redis.del(prefix + slug).catch(() => {})
    },
  }
}
