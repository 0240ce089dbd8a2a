import { durationBounds, labelSets, sizeBounds } from '../workload.js'

/** The OpenTelemetry metrics SDK with its Prometheus exporter; the hooks are what a user writes by hand. */
export const otel = {
  title: 'OTel SDK + exporter-prometheus',
  packages: ['@opentelemetry/sdk-metrics', '@opentelemetry/exporter-prometheus'],

  async createRecorder () {
    const set = await httpSet()
    return (request) => {
      const route = { 'http.request.method': request.method, 'http.route': request.endpoint }
      const all = { ...route, 'http.response.status_code': request.status }
      set.active.add(1, route)
      set.requests.add(1, all)
      set.duration.record(request.durationSeconds, all)
      set.requestSize.record(request.requestBytes, route)
      set.responseSize.record(request.responseBytes, route)
      set.active.add(-1, route)
    }
  },

  async addTo (app) {
    const set = await httpSet()
    app.addHook('onRequest', (request, reply, done) => {
      set.active.add(1, { 'http.request.method': request.method, 'http.route': request.routeOptions.url ?? 'unmatched' })
      done()
    })
    app.addHook('onResponse', (request, reply, done) => {
      const route = { 'http.request.method': request.method, 'http.route': request.routeOptions.url ?? 'unmatched' }
      const all = { ...route, 'http.response.status_code': reply.statusCode }
      set.requests.add(1, all)
      set.duration.record(reply.elapsedTime / 1000, all)
      set.requestSize.record(Number(request.headers['content-length'] ?? 0), route)
      set.responseSize.record(Number(reply.getHeader('content-length') ?? 0), route)
      set.active.add(-1, route)
      done()
    })
    app.get('/metrics', async (request, reply) => {
      reply.type('text/plain; version=0.0.4; charset=utf-8')
      return set.text()
    })
  },

  async createStore (lines) {
    const series = labelSets(lines).map(({ method, endpoint, status }) => (
      { 'http.request.method': method, 'http.route': endpoint, 'http.response.status_code': Number(status) }
    ))
    const set = await httpSet(series.length)
    return {
      size: series.length,
      touch (i) {
        set.requests.add(1, series[i])
        set.duration.record(0.02, series[i])
        set.responseSize.record(2000, series[i])
      },
      async scrape () {
        return Buffer.from(await set.text()).length
      }
    }
  }
}

async function httpSet (series = 0) {
  const { MeterProvider } = await import('@opentelemetry/sdk-metrics')
  const { PrometheusExporter, PrometheusSerializer } = await import('@opentelemetry/exporter-prometheus')
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const serializer = new PrometheusSerializer()
  const cardinalityLimits = { default: Math.max(2000, series + 1) }
  exporter.selectCardinalityLimit = () => cardinalityLimits.default
  const meter = new MeterProvider({ readers: [exporter] }).getMeter('bench')
  const bytes = { unit: 'By', advice: { explicitBucketBoundaries: sizeBounds } }
  return {
    requests: meter.createCounter('http.server.requests'),
    duration: meter.createHistogram('http.server.request.duration', { unit: 's', advice: { explicitBucketBoundaries: durationBounds } }),
    requestSize: meter.createHistogram('http.server.request.body.size', bytes),
    responseSize: meter.createHistogram('http.server.response.body.size', bytes),
    active: meter.createUpDownCounter('http.server.active_requests'),
    async text () {
      const { resourceMetrics, errors } = await exporter.collect()
      if (errors.length > 0) throw errors[0]
      return serializer.serialize(resourceMetrics)
    }
  }
}
