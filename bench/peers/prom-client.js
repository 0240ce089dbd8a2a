import { durationBounds, labelSets, sizeBounds } from '../workload.js'

/** prom-client and its successor have one interface; both are wired by hand, as their documentation shows. */
export function promClientPeer ({ title, packageName }) {
  const load = async () => (await import(packageName)).default

  return {
    title,
    packages: [packageName],

    async createRecorder () {
      const set = httpSet(await load())
      return (request) => {
        const { method, endpoint } = request
        set.inProgress.inc({ method, endpoint })
        set.requests.inc({ method, endpoint, status: request.status })
        set.duration.observe({ method, endpoint, status: request.status }, request.durationSeconds)
        set.requestSize.observe({ method, endpoint }, request.requestBytes)
        set.responseSize.observe({ method, endpoint }, request.responseBytes)
        set.inProgress.dec({ method, endpoint })
      }
    },

    async addTo (app) {
      const client = await load()
      const set = httpSet(client)
      app.addHook('onRequest', (request, reply, done) => {
        set.inProgress.inc({ method: request.method, endpoint: request.routeOptions.url ?? 'unmatched' })
        done()
      })
      app.addHook('onResponse', (request, reply, done) => {
        const method = request.method
        const endpoint = request.routeOptions.url ?? 'unmatched'
        const status = reply.statusCode
        set.requests.inc({ method, endpoint, status })
        set.duration.observe({ method, endpoint, status }, reply.elapsedTime / 1000)
        set.requestSize.observe({ method, endpoint }, Number(request.headers['content-length'] ?? 0))
        set.responseSize.observe({ method, endpoint }, Number(reply.getHeader('content-length') ?? 0))
        set.inProgress.dec({ method, endpoint })
        done()
      })
      app.get('/metrics', async (request, reply) => {
        reply.type(set.registry.contentType)
        return set.registry.metrics()
      })
    },

    async createStore (lines) {
      return promClientStore(await load(), lines)
    }
  }
}

/** A store of `lines` lines in a prom-client registry. */
export function promClientStore (client, lines) {
  const set = httpSet(client)
  const series = labelSets(lines)
  return {
    size: series.length,
    touch (i) {
      set.requests.inc(series[i])
      set.duration.observe(series[i], 0.02)
      set.responseSize.observe(series[i], 2000)
    },
    async scrape () {
      return Buffer.from(await set.registry.metrics()).length
    }
  }
}

function httpSet (client) {
  const registry = new client.Registry()
  const registers = [registry]
  const route = ['method', 'endpoint']
  const all = [...route, 'status']
  return {
    registry,
    requests: new client.Counter({ name: 'http_requests_total', help: 'Requests', labelNames: all, registers }),
    duration: new client.Histogram({ name: 'http_request_duration_seconds', help: 'Duration', labelNames: all, buckets: durationBounds, registers }),
    requestSize: new client.Histogram({ name: 'http_request_size_bytes', help: 'Request size', labelNames: route, buckets: sizeBounds, registers }),
    responseSize: new client.Histogram({ name: 'http_response_size_bytes', help: 'Response size', labelNames: all, buckets: sizeBounds, registers }),
    inProgress: new client.Gauge({ name: 'http_requests_in_progress', help: 'In progress', labelNames: route, registers })
  }
}
