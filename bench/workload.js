// What every peer is given to record: the same requests, the same label sets, the same bounds.

export const durationBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
export const sizeBounds = [100, 500, 1000, 5000, 10000, 50000, 100000, 1000000]

/** Lines of one label set in a scrape: the counter, and per histogram its bounds, +Inf, _sum and _count. */
export const linesPerSeries = 1 + (durationBounds.length + 3) + (sizeBounds.length + 3)

const routes = ['/', '/users', '/users/:id', '/users/:id/orders', '/orders/:id', '/search', '/login', '/health']
const statuses = [200, 200, 200, 404]

/** A fixed sequence of 1,024 requests over 8 routes and 2 statuses; durations and sizes spread over all buckets. */
export const requests = Array.from({ length: 1024 }, (_, i) => {
  const random = fraction(i)
  return {
    route: i % routes.length,
    method: 'GET',
    endpoint: routes[i % routes.length],
    status: statuses[Math.floor(random * statuses.length)],
    durationSeconds: 0.0005 * Math.exp(random * 9),
    requestBytes: Math.floor(50 * Math.exp(fraction(i + 7) * 9)),
    responseBytes: Math.floor(50 * Math.exp(fraction(i + 13) * 9))
  }
})

export { routes }

const madeSets = new Map()

/** The label sets that fill a scrape of about `lines` lines, made once: a service holds its routes' names anyway. */
export function labelSets (lines) {
  if (!madeSets.has(lines)) {
    madeSets.set(lines, Array.from({ length: Math.ceil(lines / linesPerSeries) }, (_, i) => ({
      method: 'GET', endpoint: `/v1/resource-${i}/:id`, status: '200'
    })))
  }
  return madeSets.get(lines)
}

function fraction (i) {
  return (i * 0.6180339887498949) % 1
}
