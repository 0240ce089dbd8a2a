import { durationBounds, labelSets, routes, sizeBounds } from '../workload.js'

const room = (path) => import(`../../dist/${path}.js`)
const labelNames = { method: 'method', endpoint: 'endpoint', status: 'status', reason: 'reason' }

/** The product with all its safety on. Recording and scraping alone go through the parts that the plugin is made of. */
export const vitals = {
  title: 'fastify-vitals',
  packages: [],

  async createRecorder () {
    const { Registry } = await room('series/registry')
    const { HttpMetrics } = await room('record/http-metrics')
    const { EndpointRows } = await room('record/endpoint-rows')
    const metrics = new HttpMetrics(new Registry(), labelNames, { duration: durationBounds, size: sizeBounds }, { scheme: 'http', withErrorTypes: false })
    const plain = { labels: {}, durationBuckets: undefined, sizeBuckets: undefined }
    const endpoints = routes.map((route) => new EndpointRows(metrics, route, plain, []))
    return (request) => {
      const rows = endpoints[request.route].of(request.method)
      rows.inProgress.inc()
      rows.record(request.status, request.durationSeconds, request.requestBytes, request.responseBytes)
      rows.inProgress.dec()
    }
  },

  async addTo (app) {
    const { default: plugin } = await room('index')
    await app.register(plugin, { auth: false })
  },

  async createStore (lines) {
    const { Registry } = await room('series/registry')
    const { Exposition } = await room('export/exposition')
    const series = labelSets(lines)
    const registry = new Registry({ limits: { seriesPerMetric: series.length, series: series.length * 2 } })
    const labels = ['method', 'endpoint', 'status']
    const duration = registry.histogram({ name: 'http_request_duration_seconds', help: 'Duration', labels, buckets: durationBounds })
    registry.countOf(duration, { name: 'http_requests_total', help: 'Requests' })
    const responseSize = registry.histogram({ name: 'http_response_size_bytes', help: 'Response size', labels, buckets: sizeBounds })
    const exposition = new Exposition(registry)
    const bound = series.map((set) => ({ duration: duration.with(set), responseSize: responseSize.with(set) }))
    return {
      size: series.length,
      touch (i) {
        bound[i].duration.observe(0.02)
        bound[i].responseSize.observe(2000)
      },
      async scrape () {
        let bytes = 0
        for await (const chunk of exposition.scrape('prometheus')) bytes += chunk.length
        return bytes
      }
    }
  }
}
