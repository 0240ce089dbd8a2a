import { subscribe } from 'node:diagnostics_channel'
import { Agent, ClientRequest, IncomingMessage } from 'node:http'

const uppers = Float64Array.of(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
const cells = new Float64Array(uppers.length + 2)
const kStartMs = Symbol('startMs')
const kStatus = Symbol('status')

/**
 * The least that can see each request, its status and its end, and time and count what ends well: no labels, no limits,
 * nothing in progress, no failures.
 */
export function addFloor () {
  const { addRequest } = Agent.prototype
  Agent.prototype.addRequest = function (request) {
    request[kStartMs] = performance.now()
    return addRequest.apply(this, arguments)
  }
  const { emit } = ClientRequest.prototype
  ClientRequest.prototype.emit = function (event, detail) {
    if (event === 'response') this[kStatus] = detail.statusCode
    return emit.apply(this, arguments)
  }
  IncomingMessage.prototype.emit = function (event) {
    if (event === 'end' && this.req !== undefined) observe(this.req[kStartMs])
    return emit.apply(this, arguments)
  }
  subscribe('undici:request:create', ({ request }) => { request[kStartMs] = performance.now() })
  subscribe('undici:request:headers', ({ request, response }) => { request[kStatus] = response.statusCode })
  subscribe('undici:request:trailers', ({ request }) => { observe(request[kStartMs]) })
}

function observe (startMs) {
  const seconds = (performance.now() - startMs) / 1_000
  cells[0]++
  cells[1] += seconds
  let i = 0
  while (i < uppers.length && seconds > uppers[i]) i++
  if (i < uppers.length) cells[2 + i]++
}
