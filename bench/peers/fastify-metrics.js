import { promClientStore } from './prom-client.js'

/** fastify-metrics with its route metrics as it comes (a histogram and a summary); its default metrics are off. */
export const fastifyMetrics = {
  title: 'fastify-metrics',
  note: 'records 2 instruments, not 5',
  packages: ['fastify-metrics'],

  /** Its two hooks, taken from an application and called with the least they ask of a request. */
  async createRecorder () {
    const { default: fastify } = await import('fastify')
    const hooks = {}
    const app = fastify()
    await app.register(async (instance) => {
      const addHook = instance.addHook.bind(instance)
      instance.addHook = (name, hook) => {
        if (name === 'onRequest' || name === 'onResponse') hooks[name] = hook
        else addHook(name, hook)
        return instance
      }
      await (await plugin())(instance, { defaultMetrics: { enabled: false }, routeMetrics: { registeredRoutesOnly: false } })
    })
    await app.ready()
    const done = () => {}
    return (request) => {
      const incoming = { method: request.method, url: request.endpoint, raw: { url: request.endpoint }, routeOptions: { url: request.endpoint, config: {} } }
      hooks.onRequest(incoming, undefined, done)
      hooks.onResponse(incoming, { statusCode: request.status }, done)
    }
  },

  async addTo (app) {
    await app.register(await plugin(), { endpoint: '/metrics', defaultMetrics: { enabled: false } })
  },

  /** Its store is the client it brings: @prometheus-io/client. */
  async createStore (lines) {
    const { default: fastify } = await import('fastify')
    const app = fastify()
    await app.register(await plugin(), { endpoint: null, defaultMetrics: { enabled: false }, routeMetrics: { enabled: false } })
    await app.ready()
    return promClientStore(app.metrics.client, lines)
  }
}

async function plugin () {
  const module = await import('fastify-metrics')
  return module.default.default ?? module.default
}
