import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CreateRateLimitOptions, RateLimitPluginOptions } from '@fastify/rate-limit'

/** The plugin in one of its majors. */
export type LimiterPlugin = typeof import('@fastify/rate-limit').default

/** When we come: before the limiter, both queued, between limiter and routes, after both, or not at all. */
export type Order = 'first' | 'queued' | 'between' | 'after' | 'without'

export interface Step {
  url: string
  method?: 'GET' | 'HEAD' | 'POST'
  remoteAddress?: string
  headers?: Record<string, string>
  times?: number
  /** Endpoint and group as the series have them. @default the URL */
  endpoint?: string
  /** What becomes of it where the status does not tell: an allow list, a failing store, a route without a limit. */
  fate?: 'allowed' | 'exceeded' | 'banned' | 'bypassed' | 'failed' | 'unlimited'
  /** How many limiters check it. @default 1 */
  checks?: number
}

/** What a scenario has at hand. */
export interface Kit {
  rateLimit: LimiterPlugin
  /** The options that choose the store. */
  store: Pick<RateLimitPluginOptions, 'redis' | 'store' | 'nameSpace'>
  /** Notes a call of the application's own functions. */
  note: (name: string, self: unknown, args: IArguments | unknown[]) => void
}

export interface Scenario {
  options: (kit: Kit) => RateLimitPluginOptions
  routes: (app: FastifyInstance, kit: Kit) => unknown
  steps: Step[]
  /** What a status means. @default 200 and 404 allowed, 429 exceeded, 403 banned */
  fateOf?: Record<number, string>
  /** What the series cannot tell in an order of registration: fates that they tell instead, `undefined` for none at all. */
  gaps?: Partial<Record<Order, Record<string, string | undefined>>>
  /** In an order of registration: how many allowed checks have no quota in the series, or no limit and so no used share. */
  withoutQuota?: Partial<Record<Order, number>>
  withoutLimit?: Partial<Record<Order, number>>
  /** Calls of stores that are timed in an order in which not all checks are seen, or more than those. */
  timed?: Partial<Record<Order, number>>
  /** What the log says of that, each once. @default nothing */
  warnings?: Partial<Record<Order, RegExp[]>>
  /** The kinds of store that it is about. @default all */
  stores?: string[]
}

const WINDOW = 3_600_000
const get = (app: FastifyInstance, url: string, config?: object): unknown => app.get(url, { ...config !== undefined && { config: config as never } }, async () => 'fine')
const NO_HEADERS = {
  addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false },
  addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
}
const UNSEEN = /^The limiter of fastify makes checks that are not counted/
const globally = (more: (kit: Kit) => RateLimitPluginOptions = () => ({})) => (kit: Kit): RateLimitPluginOptions => ({ max: 2, timeWindow: WINDOW, ...kit.store, ...more(kit) })
const onHook = (hook: string): Scenario => ({
  options: globally(() => ({ hook: hook as 'onRequest' })),
  routes: app => app.post('/a', { [hook]: (_request: unknown, _reply: unknown, ...rest: unknown[]) => (rest.at(-1) as (...args: unknown[]) => void)(null, ...rest.slice(0, -1)) }, async () => hook === 'preSerialization' ? { is: 'fine' } : 'fine'),
  steps: [{ url: '/a', method: 'POST', times: 4 }]
})

export const scenarios: Record<string, Scenario> = {
  'a global limit': {
    options: globally(),
    routes: app => { get(app, '/a'); get(app, '/b') },
    steps: [{ url: '/a', times: 2 }, { url: '/b' }, { url: '/a' }, { url: '/nowhere', endpoint: 'unmatched', fate: 'unlimited' }]
  },
  'limits of routes': {
    options: globally(() => ({ global: false })),
    routes: app => {
      get(app, '/a', { rateLimit: { max: 1, timeWindow: '1 hour' } })
      get(app, '/b')
      get(app, '/c', { rateLimit: false })
    },
    steps: [{ url: '/a', times: 3 }, { url: '/b', fate: 'unlimited', times: 3 }, { url: '/c', fate: 'unlimited' }]
  },
  'limits of routes beside a global one, within prefixed and encapsulated contexts': {
    options: globally(),
    routes: async app => {
      get(app, '/a')
      await app.register(async child => {
        get(child, '/')
        get(child, '/own', { rateLimit: { max: 1, hook: 'preHandler' } })
        await child.register(async inner => { get(inner, '/deep/:id', { rateLimit: { max: 3 } }) })
      }, { prefix: '/v1' })
    },
    steps: [{ url: '/a' }, { url: '/v1/own', times: 2 }, { url: '/v1/deep/7', endpoint: '/v1/deep/:id', times: 4 }, { url: '/v1', times: 2 }]
  },
  'a limiter in an encapsulated context': {
    options: globally(),
    routes: async (app, { rateLimit, store }) => {
      get(app, '/a')
      await app.register(async child => {
        await child.register(rateLimit, { max: 1, timeWindow: WINDOW, ...store, ...store.redis !== undefined && { nameSpace: `${store.nameSpace}inner-` } })
        get(child, '/inner')
      })
    },
    // Both limiters check what the inner one allows; the outer one comes first.
    steps: [{ url: '/inner', checks: 2 }, { url: '/a' }]
  },
  'a ban': {
    options: globally(kit => ({ ban: 1, onBanReach (...args) { kit.note('onBanReach', this, args) } })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { max: 1, ban: 0 } }) },
    steps: [{ url: '/a', times: 5 }, { url: '/b', times: 3 }]
  },
  'a ban behind an error of the application\'s own': {
    options: globally(kit => ({
      ban: 1,
      errorResponseBuilder (...args) {
        kit.note('errorResponseBuilder', this, args)
        return Object.assign(new Error(`no more: ${args[1].statusCode}`), { statusCode: args[1].ban ? 451 : 418 })
      }
    })),
    routes: (app, kit) => {
      get(app, '/a')
      get(app, '/b', { rateLimit: { max: 1, ban: 0, onBanReach (...args: unknown[]) { kit.note('route onBanReach', this, args) } } })
    },
    steps: [{ url: '/a', times: 5 }, { url: '/b', times: 3 }],
    fateOf: { 418: 'exceeded', 451: 'banned' },
    gaps: { after: { '/b banned': '/b exceeded' } },
    warnings: { after: [/^Route \/b bans, has errors of its own/] }
  },
  'an allow list': {
    options: globally(() => ({ allowList: ['10.0.0.1'] })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', remoteAddress: '10.0.0.1', fate: 'bypassed', times: 4 }, { url: '/a', times: 3 }]
  },
  'a function as allow list, which waits': {
    options: globally(kit => ({
      async allowList (...args) {
        kit.note('allowList', this, args)
        return await Promise.resolve(args[0].headers['x-friend'] !== undefined)
      }
    })),
    routes: (app, kit) => {
      get(app, '/a')
      get(app, '/b', { rateLimit: { allowList (...args: unknown[]) { kit.note('route allowList', this, args); return true } } })
    },
    steps: [{ url: '/a', headers: { 'x-friend': '1' }, fate: 'bypassed', times: 4 }, { url: '/a', times: 3 }, { url: '/b', fate: 'bypassed', times: 3 }]
  },
  groups: {
    options: globally(),
    routes: app => { for (const url of ['/a', '/b']) get(app, url, { rateLimit: { max: 1, groupId: 'login' } }) },
    steps: [{ url: '/a', endpoint: '/a login', times: 2 }, { url: '/b', endpoint: '/b login', times: 2 }]
  },
  'keys of the application\'s own, some of which cannot be made': {
    options: globally(kit => ({
      async keyGenerator (...args) {
        kit.note('keyGenerator', this, args)
        if (args[0].headers['x-key'] === undefined) throw new TypeError('no key')
        return await Promise.resolve(args[0].headers['x-key'] as string)
      }
    })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', headers: { 'x-key': 'one' }, times: 3 }, { url: '/a', headers: { 'x-key': 'two' } }, { url: '/a', fate: 'failed', times: 2 }]
  },
  'a store that fails': {
    options: globally(() => ({ keyGenerator: request => request.headers['x-key'] as string })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { skipOnError: true } }) },
    steps: ['/a', '/b'].flatMap(url => [{ url, headers: { 'x-key': 'broken' }, fate: 'failed' as const, times: 2 }, { url, headers: { 'x-key': 'good' }, times: 3 }]),
    stores: ['custom']
  },
  'addresses of IPv6': {
    options: globally(),
    routes: app => get(app, '/a'),
    steps: ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1', '::ffff:10.0.0.9', '10.0.0.9', '::ffff:a00:9'].map(remoteAddress => ({ url: '/a', remoteAddress }))
  },
  'limits and windows that are functions': {
    options: globally(kit => ({
      async max (...args) { kit.note('max', this, args); return await Promise.resolve(args[0].headers['x-plan'] === 'gold' ? 3 : 1) },
      timeWindow (...args) { kit.note('timeWindow', this, args); return WINDOW }
    })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', headers: { 'x-plan': 'gold' }, times: 4 }, { url: '/a', remoteAddress: '10.1.1.1', times: 2 }]
  },
  'windows that begin anew or grow with each refusal': {
    options: globally(() => ({ continueExceeding: true })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { max: 1, continueExceeding: false, exponentialBackoff: true } }) },
    steps: [{ url: '/a', times: 4 }, { url: '/b', times: 4 }]
  },
  callbacks: {
    options: globally(kit => ({
      onExceeding (...args) { kit.note('onExceeding', this, args) },
      onExceeded (...args) { kit.note('onExceeded', this, args) }
    })),
    routes: (app, kit) => {
      get(app, '/a')
      get(app, '/b', { rateLimit: { max: 1, onExceeding (...args: unknown[]) { kit.note('route onExceeding', this, args) } } })
    },
    steps: [{ url: '/a', times: 4 }, { url: '/b', times: 2 }]
  },
  'callbacks that throw': {
    options: globally(kit => ({
      onExceeding (...args) { kit.note('onExceeding', this, args); throw new Error('too close') },
      onBanReach (...args) { kit.note('onBanReach', this, args); throw new Error('out') },
      ban: 0
    })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { max: 1 } }) },
    steps: [{ url: '/a', times: 2, fate: 'allowed' }, { url: '/a', fate: 'banned' }, { url: '/b', fate: 'allowed' }, { url: '/b', fate: 'banned' }],
    gaps: { after: { '/b banned': '/b exceeded' } }
  },
  'errors that are no errors': {
    options: globally(kit => ({ errorResponseBuilder (...args) { kit.note('errorResponseBuilder', this, args); return { statusCode: 503, after: args[1].after } } })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', times: 4 }],
    fateOf: { 503: 'exceeded' }
  },
  'headers switched off': {
    options: globally(() => ({ ...NO_HEADERS, allowList: ['10.0.0.1'] })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', times: 3 }, { url: '/a', remoteAddress: '10.0.0.1', fate: 'bypassed' }]
  },
  'headers switched off for a route': {
    options: globally(() => ({ allowList: ['10.0.0.1'] })),
    routes: app => get(app, '/a', { rateLimit: { max: 1, ...NO_HEADERS } }),
    steps: [{ url: '/a', times: 3 }, { url: '/a', remoteAddress: '10.0.0.1', fate: 'bypassed' }],
    gaps: { after: { '/a bypassed': '/a allowed' } },
    withoutQuota: { after: 2 },
    warnings: { after: [/^Route \/a has a limit with headers switched off/] }
  },
  'some headers switched off': {
    options: globally(() => ({ addHeaders: { 'retry-after': false }, addHeadersOnExceeding: { 'x-ratelimit-limit': false } })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { max: 1, addHeaders: { 'x-ratelimit-limit': true } } }) },
    steps: [{ url: '/a', times: 4 }, { url: '/b', times: 3 }],
    withoutLimit: { after: 1 },
    warnings: { after: [/^Route \/b has a limit with headers switched off/] }
  },
  'the headers of the draft': {
    options: globally(() => ({ enableDraftSpec: true, addHeaders: { 'ratelimit-reset': false } })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', times: 4 }]
  },
  'automatic HEAD routes and hooks that routes share': {
    options: globally(),
    routes: app => {
      const shared = [async () => {}]
      app.get('/a', { onRequest: shared }, async () => 'fine')
      app.get('/b', { onRequest: shared, config: { rateLimit: { max: 3 } } }, async () => 'fine')
    },
    steps: [{ url: '/a', method: 'HEAD', times: 2 }, { url: '/a' }, { url: '/b', method: 'HEAD', times: 2 }, { url: '/b', times: 2 }]
  },
  'a limited 404 handler': {
    options: globally(() => ({ global: false })),
    routes: app => {
      app.setNotFoundHandler({ preHandler: app.rateLimit() }, async (_request, reply) => await reply.code(404).send('nothing'))
      get(app, '/a')
    },
    steps: [{ url: '/nowhere', endpoint: 'unmatched', times: 2 }, { url: '/else', endpoint: 'unmatched', times: 2 }, { url: '/a', fate: 'unlimited' }]
  },
  'a 404 handler that is limited on another hook, with headers switched off': {
    options: globally(() => ({ global: false })),
    routes: app => app.setNotFoundHandler({ onRequest: app.rateLimit({ max: 1, timeWindow: WINDOW, ...NO_HEADERS }) } as object, async (_request, reply) => await reply.code(404).send('nothing')),
    steps: [{ url: '/nowhere', endpoint: 'unmatched', times: 2 }],
    withoutQuota: { after: 1 },
    warnings: { after: [/^A 404 handler has a limit with headers switched off/] }
  },
  'handlers of rateLimit()': {
    options: globally(() => ({ global: false })),
    routes: app => {
      app.get('/a', { preHandler: app.rateLimit({ max: 1, timeWindow: WINDOW }) }, async () => 'fine')
      app.get('/b', { onRequest: [app.rateLimit()] }, async () => 'fine')
    },
    steps: [{ url: '/a', times: 3 }, { url: '/b', times: 3 }]
  },
  'handlers of rateLimit() with headers switched off': {
    options: globally(() => ({ global: false, ban: 1 })),
    routes: app => app.get('/a', { preValidation: app.rateLimit({ max: 1, ...NO_HEADERS }) }, async () => 'fine'),
    steps: [{ url: '/a', times: 2 }],
    withoutQuota: { after: 1 },
    warnings: { after: [/^Route \/a has a limit with headers switched off/] }
  },
  'limiters of createRateLimit()': {
    options: globally(() => ({ global: false, allowList: ['10.0.0.1'], ban: 1 })),
    routes: app => {
      const checks = { '/a': app.createRateLimit(), '/b': app.createRateLimit({ max: 1, timeWindow: WINDOW } as CreateRateLimitOptions) }
      for (const [url, check] of Object.entries(checks)) {
        app.get(url, async (request: FastifyRequest, reply) => {
          const verdict = await check(request)
          const isRefused = !verdict.isAllowed && verdict.isExceeded
          return await reply.code(isRefused ? verdict.isBanned ? 403 : 429 : 200).send(JSON.stringify({ ...verdict, ttl: 0, ttlInSeconds: 0 }))
        })
      }
    },
    steps: [{ url: '/a', times: 5 }, { url: '/b', times: 4 }, { url: '/a', remoteAddress: '10.0.0.1', fate: 'bypassed' }],
    gaps: { after: Object.fromEntries(['/a allowed', '/a exceeded', '/a banned', '/a bypassed', '/b allowed', '/b exceeded', '/b banned'].map(key => [key, undefined])) },
    // Those of the limiter's own store.
    timed: { after: 5 },
    warnings: { after: [UNSEEN] }
  },
  'limits and windows of a route that are functions, some of which throw': {
    options: globally(),
    routes: (app, kit) => {
      get(app, '/a', {
        rateLimit: {
          async max (...args: [FastifyRequest, string]) { kit.note('route max', this, args); return await Promise.resolve(args[0].headers['x-plan'] === 'gold' ? 2 : 0) },
          async timeWindow (...args: unknown[]) { kit.note('route timeWindow', this, args); return await Promise.resolve(WINDOW) }
        }
      })
      get(app, '/b', { rateLimit: { async max () { return await Promise.reject(new RangeError('no plan')) } } })
      get(app, '/c', { rateLimit: { timeWindow () { throw new RangeError('no window') } } })
    },
    steps: [{ url: '/a', headers: { 'x-plan': 'gold' }, times: 3 }, { url: '/a', remoteAddress: '10.1.1.1', times: 2 }, { url: '/b', fate: 'failed', times: 2 }, { url: '/c', fate: 'failed' }]
  },
  'limits that are no numbers': {
    options: globally(() => ({ max: request => (request.headers['x-max'] === undefined ? undefined : Infinity) as number })),
    routes: app => get(app, '/a'),
    steps: [{ url: '/a', times: 3 }, { url: '/a', headers: { 'x-max': 'all' }, times: 3 }],
    withoutQuota: { first: 6, queued: 6, between: 6, after: 6 }
  },
  'allow lists that throw': {
    options: globally(() => ({ async allowList () { return await Promise.reject(new RangeError('no list')) } })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { allowList () { throw new RangeError('no list') } } }) },
    steps: [{ url: '/a', fate: 'failed', times: 2 }, { url: '/b', fate: 'failed', times: 2 }]
  },
  'keys of a route\'s own': {
    options: globally(),
    routes: (app, kit) => {
      get(app, '/a', { rateLimit: { max: 1, keyGenerator (...args: [FastifyRequest]) { kit.note('route keyGenerator', this, args); return args[0].headers['x-key'] ?? 'none' } } })
      get(app, '/b', { rateLimit: { keyGenerator () { throw new TypeError('no key') } } })
    },
    steps: [{ url: '/a', headers: { 'x-key': 'one' }, times: 2 }, { url: '/a', times: 2 }, { url: '/b', fate: 'failed' }]
  },
  'an error of a route\'s own': {
    options: globally(() => ({ errorResponseBuilder: () => Object.assign(new Error('busy'), { statusCode: 503 }) })),
    routes: (app, kit) => {
      get(app, '/a')
      get(app, '/b', { rateLimit: { max: 1, errorResponseBuilder (...args: unknown[]) { kit.note('route errorResponseBuilder', this, args); throw new Error('cannot say') } } })
    },
    steps: [{ url: '/a', times: 3 }, { url: '/b', times: 3 }],
    fateOf: { 503: 'exceeded', 500: 'exceeded' }
  },
  'the headers of the draft, some of them switched off for a route': {
    options: globally(() => ({ enableDraftSpec: true })),
    routes: app => { get(app, '/a'); get(app, '/b', { rateLimit: { max: 1, enableDraftSpec: false, addHeadersOnExceeding: { 'ratelimit-limit': true }, addHeaders: { 'retry-after': true } } }) },
    steps: [{ url: '/a', times: 3 }, { url: '/b', times: 3 }],
    withoutQuota: { after: 1 },
    warnings: { after: [/^Route \/b has a limit with headers switched off/] }
  },
  'a route without limit beside one that takes the global limit': {
    options: globally(),
    routes: app => { get(app, '/a', { rateLimit: null }); get(app, '/b', { rateLimit: false }); get(app, '/c', { rateLimit: {} }) },
    steps: [{ url: '/a', times: 3 }, { url: '/b', fate: 'unlimited', times: 3 }, { url: '/c', times: 3 }]
  },
  'two limiters in one context, and routes with limits of both': {
    options: globally(),
    routes: async (app, { rateLimit, store }) => {
      await app.register(async child => {
        await child.register(rateLimit, { max: 2, timeWindow: WINDOW, ...store, ...store.redis !== undefined && { nameSpace: `${store.nameSpace}one-` } })
        await child.register(rateLimit, { max: 2, timeWindow: WINDOW, ...store, ...store.redis !== undefined && { nameSpace: `${store.nameSpace}two-` } })
        get(child, '/a')
        get(child, '/b', { rateLimit: { max: 2 } })
      })
    },
    // All three count the same, and the outer one is asked first.
    steps: [{ url: '/a', times: 2, checks: 3 }, { url: '/a', times: 2 }, { url: '/b', times: 2, checks: 3 }, { url: '/b', times: 2 }]
  },
  'a 404 handler of a context\'s own': {
    options: globally(() => ({ global: false })),
    routes: async app => {
      await app.register(async child => {
        child.setNotFoundHandler({ preHandler: [async () => {}, child.rateLimit({ max: 1 })], preValidation: child.rateLimit() } as object, async (_request, reply) => await reply.code(404).send('nothing'))
      }, { prefix: '/v1' })
    },
    steps: [{ url: '/v1/nowhere', endpoint: 'unmatched', times: 3 }, { url: '/nowhere', endpoint: 'unmatched', fate: 'unlimited' }]
  },
  'a handler of rateLimit() for a whole context': {
    options: globally(() => ({ global: false })),
    routes: async app => {
      await app.register(async child => {
        child.addHook('preHandler', child.rateLimit() as never)
        get(child, '/a')
        get(child, '/b')
      })
    },
    steps: [{ url: '/a' }, { url: '/b', times: 2 }]
  },
  'HEAD routes of the application\'s own': {
    options: globally(),
    routes: app => {
      app.head('/a', async () => 'fine')
      app.get('/a', { exposeHeadRoute: false }, async () => 'fine')
      app.route({ method: ['HEAD', 'GET'], url: '/b', config: { rateLimit: { max: 1 } }, handler: async () => 'fine' })
    },
    steps: [{ url: '/a', method: 'HEAD', times: 2 }, { url: '/a' }, { url: '/b', method: 'HEAD' }, { url: '/b' }]
  },
  'a hook that answers before the limiter': {
    options: globally(() => ({ hook: 'preHandler' })),
    routes: app => {
      app.get('/a', { onRequest: async (_request, reply) => await reply.code(401).send('who?') }, async () => 'fine')
      app.get('/b', { preHandler: async (_request, reply) => { reply.header('x-ratelimit-remaining', 7) } }, async () => 'fine')
    },
    steps: [{ url: '/a', fate: 'unlimited' }, { url: '/b' }]
  },
  'limits of routes on hooks of their own': {
    options: globally(),
    routes: app => {
      for (const hook of ['preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend']) {
        app.post(`/${hook}`, { config: { rateLimit: { max: 1, hook: hook as 'preParsing' } } }, async () => ({ is: 'fine' }))
      }
    },
    steps: ['preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend'].map(hook => ({ url: `/${hook}`, method: 'POST' as const, times: 3 }))
  },
  'hooks that come too late to refuse': {
    options: globally(() => ({ max: 1 })),
    routes: app => {
      get(app, '/a', { rateLimit: { hook: 'onResponse' } })
      app.get('/b', { config: { rateLimit: { hook: 'onError' as 'onRequest' } } }, async () => { throw Object.assign(new Error('no'), { statusCode: 418 }) })
    },
    steps: [{ url: '/a', fate: 'allowed' }, { url: '/a', fate: 'exceeded', times: 2 }, { url: '/b', fate: 'allowed' }, { url: '/b', fate: 'exceeded', times: 2 }]
  },
  ...Object.fromEntries(['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend'].map(hook => [`the hook ${hook}`, onHook(hook)]))
}
