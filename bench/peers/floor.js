import { durationBounds, labelSets, requests, routes, sizeBounds } from '../workload.js'

// The least that recording and rendering can cost: no validation, no cap, no aborts, no other instruments. Not for use;
// it shows how far a real implementation is from what the machine can do.

const durationStart = 2
const durationWidth = durationBounds.length + 1
const requestStart = durationStart + durationWidth + 1
const sizeWidth = sizeBounds.length + 1
const responseStart = requestStart + sizeWidth + 1
const width = responseStart + sizeWidth + 1
const inProgress = 0

/** One label set: [in progress, count, duration buckets, sum, request size buckets, sum, response size buckets, sum]. */
class Row {
  constructor () {
    this.cells = new Float64Array(width)
    this.touched = true
  }

  record (durationSeconds, requestBytes, responseBytes) {
    const cells = this.cells
    cells[1]++
    cells[durationStart + bucket(durationBounds, durationSeconds)]++
    cells[durationStart + durationWidth] += durationSeconds
    cells[requestStart + bucket(sizeBounds, requestBytes)]++
    cells[requestStart + sizeWidth] += requestBytes
    cells[responseStart + bucket(sizeBounds, responseBytes)]++
    cells[responseStart + sizeWidth] += responseBytes
    this.touched = true
  }
}

function bucket (bounds, value) {
  let i = 0
  while (i < bounds.length && value > bounds[i]) i++
  return i
}

class Route {
  constructor () {
    this.rows = []
    this.lastStatus = 0
    this.lastRow = undefined
    this.live = new Float64Array(1)
  }

  row (status) {
    if (status === this.lastStatus) return this.lastRow
    this.lastStatus = status
    this.lastRow = this.rows[status - 100] ??= new Row()
    return this.lastRow
  }
}

export const floor = {
  title: 'floor (prototype, no safety)',
  packages: [],

  async createRecorder () {
    const handles = routes.map(() => new Route())
    for (const request of requests) handles[request.route].row(request.status)
    return (request) => {
      const handle = handles[request.route]
      handle.live[inProgress]++
      handle.row(request.status).record(request.durationSeconds, request.requestBytes, request.responseBytes)
      handle.live[inProgress]--
    }
  },

  async addTo (app) {
    const kStart = Symbol('start')
    const kRoute = Symbol('route')
    const kReply = Symbol('reply')
    function onClose () {
      const route = this[kRoute]
      if (route === undefined) return
      const reply = this[kReply]
      route.live[inProgress]--
      const responseBytes = +(reply.getHeader('content-length') ?? 0)
      const requestBytes = +(this.req.headers['content-length'] ?? 0)
      route.row(this.statusCode).record((performance.now() - this[kStart]) / 1000, requestBytes, responseBytes)
    }
    app.server.prependListener('request', (request, response) => {
      response[kStart] = performance.now()
      response[kRoute] = undefined
      response[kReply] = undefined
      response.on('close', onClose)
    })
    app.addHook('onRoute', (options) => {
      const route = new Route()
      const hook = (request, reply, done) => {
        const response = reply.raw
        response[kRoute] = route
        response[kReply] = reply
        route.live[inProgress]++
        done()
      }
      options.onRequest = [hook].concat(options.onRequest ?? [])
    })
  },

  async createStore (lines) {
    const series = labelSets(lines).map((labels) => new Series(labels))
    const store = new FloorStore(series)
    return {
      size: series.length,
      touch (i) {
        series[i].row.record(0.02, 100, 2000)
      },
      scrape: () => store.scrape()
    }
  }
}

class Series {
  constructor ({ method, endpoint, status }) {
    this.text = `method="${method}",endpoint="${endpoint}",status="${status}"`
    this.row = new Row()
  }
}

const families = [
  { name: 'http_requests_total', render: (labels, cells) => `http_requests_total{${labels}} ${cells[1]}\n` },
  histogramFamily('http_request_duration_seconds', durationBounds, durationStart),
  histogramFamily('http_response_size_bytes', sizeBounds, responseStart)
]

function histogramFamily (name, bounds, start) {
  const suffixes = [...bounds.map(String), '+Inf'].map((bound) => `,le="${bound}"} `)
  return {
    name,
    render (labels, cells) {
      const head = `${name}_bucket{${labels}`
      let text = ''
      let total = 0
      for (let i = 0; i < suffixes.length; i++) {
        total += cells[start + i]
        text += head + suffixes[i] + total + '\n'
      }
      return text + `${name}_sum{${labels}} ${cells[start + suffixes.length]}\n${name}_count{${labels}} ${total}\n`
    }
  }
}

const sliceSeries = 64

/** Renders in slices that yield; what was not touched is copied from the last rendering, neighbours in one go. */
class FloorStore {
  constructor (series) {
    this.series = series
    this.chunks = families.flatMap((family) => {
      const chunks = []
      for (let at = 0; at < series.length; at += sliceSeries) chunks.push({ family, at, bytes: Buffer.alloc(0), ends: new Int32Array(sliceSeries) })
      return chunks
    })
    this.scratch = Buffer.allocUnsafe(1 << 20)
  }

  async scrape () {
    let size = 0
    let sliceStart = performance.now()
    for (const chunk of this.chunks) {
      this.#render(chunk)
      size += chunk.bytes.length
      if (performance.now() - sliceStart < 1) continue
      await new Promise(setImmediate)
      sliceStart = performance.now()
    }
    for (const { row } of this.series) row.touched = false
    return size
  }

  #render (chunk) {
    const { at, family, bytes, ends } = chunk
    const length = Math.min(sliceSeries, this.series.length - at)
    let touched = bytes.length === 0
    for (let i = 0; i < length && !touched; i++) touched = this.series[at + i].row.touched
    if (!touched) return
    const scratch = this.scratch
    let position = 0
    let from = 0
    for (let i = 0; i < length; i++) {
      const series = this.series[at + i]
      const end = ends[i]
      if (series.row.touched || bytes.length === 0) {
        position += scratch.latin1Write(family.render(series.text, series.row.cells), position)
      } else {
        position += bytes.copy(scratch, position, from, end)
      }
      from = end
      ends[i] = position
    }
    if (bytes.length === position) scratch.copy(bytes, 0, 0, position)
    else chunk.bytes = Buffer.from(scratch.subarray(0, position))
  }
}
