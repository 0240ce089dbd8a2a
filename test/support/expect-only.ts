import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { eventually, turn } from './gate.ts'
import { parseSamples } from './samples.ts'
import type { Sample } from './samples.ts'

/** A request that must have been counted, or several alike. */
export interface Counted {
  /** @default 'GET' */
  method?: string
  endpoint: string
  status: number
  /** @default 1 */
  times?: number
  /** Bytes of request body, all of them together; 'any' where a cut makes it a matter of chance. @default 0 */
  requestBytes?: number | 'any'
  /** Bytes of response body, all of them together. @default 'any' for a 499, else 0 */
  responseBytes?: number | 'any'
  /** Why it failed, where the catalogue has a reason. */
  failure?: string
}

/** The HTTP set as plain objects that compare well: `GET /users/:id 200` → 1. */
interface Ledger {
  requests: Record<string, number>
  durations: Record<string, number>
  requestSizes: Record<string, number>
  responseSizes: Record<string, number>
  requestBytes: Record<string, number>
  responseBytes: Record<string, number>
  inProgress: Record<string, number>
  failures: Record<string, number>
}

/**
 * Waits until the expected number of requests is counted and none is in progress, lets the loop go round some more for what
 * should not come, and compares the whole HTTP set, so that strays and doubles are seen.
 */
export async function expectOnly (t: Test, app: FastifyInstance, expected: readonly Counted[], message = 'counts these and nothing else'): Promise<void> {
  const total = expected.reduce((sum, { times = 1 }) => sum + times, 0)
  await settled(app, total)
  const wanted = toWanted(expected)
  const actual = toLedger(parseSamples(await app.vitals.render()))
  forget(actual, wanted)
  t.strictSame(actual, wanted, message)
  for (const { method = 'GET', endpoint, status } of expected) {
    const key = `${method} ${endpoint} ${status}`
    t.equal(app.vitals.read('http_requests_total', { method, endpoint, status: String(status) }), wanted.requests[key], `reads ${key}`)
  }
}

/** Drops from `actual` what says nothing: size histograms that are still empty, and sums that are a matter of chance. */
function forget (actual: Ledger, wanted: Ledger): void {
  for (const [counts, sums] of [['requestSizes', 'requestBytes'], ['responseSizes', 'responseBytes']] as const) {
    for (const key of Object.keys(actual[counts])) {
      if (actual[counts][key] === 0 && actual[sums][key] === 0) {
        delete actual[counts][key]
        delete actual[sums][key]
      } else if (Number.isNaN(wanted[sums][key])) {
        actual[sums][key] = NaN
      }
    }
  }
}

/** Waits until `total` requests are counted and none is in progress; what is wrong then, the comparison says. */
export async function settled (app: FastifyInstance, total: number): Promise<void> {
  await eventually(async () => {
    const { requests, inProgress } = toLedger(parseSamples(await app.vitals.render()))
    return sum(requests) >= total && sum(inProgress) === 0
  })
  for (let i = 0; i < 20; i++) await turn()
}

/** How many requests of a route are in progress. */
export function inProgress (app: FastifyInstance, method: string, endpoint: string): unknown {
  return app.vitals.read('http_requests_in_progress', { method, endpoint })
}

export function toLedger (samples: readonly Sample[]): Ledger {
  const ledger: Ledger = emptyLedger()
  for (const { name, labels: { method, endpoint, status, reason }, value } of samples) {
    const route = `${method} ${endpoint}`
    switch (name) {
      case 'http_requests_total': ledger.requests[`${route} ${status}`] = value; break
      case 'http_request_duration_seconds_count': ledger.durations[`${route} ${status}`] = value; break
      case 'http_request_size_bytes_count': ledger.requestSizes[route] = value; break
      case 'http_response_size_bytes_count': ledger.responseSizes[route] = value; break
      case 'http_request_size_bytes_sum': ledger.requestBytes[route] = value; break
      case 'http_response_size_bytes_sum': ledger.responseBytes[route] = value; break
      case 'http_requests_in_progress': if (value !== 0) ledger.inProgress[route] = value; break
      case 'http_request_failures_total': ledger.failures[`${route} ${reason}`] = value; break
    }
  }
  return ledger
}

function toWanted (expected: readonly Counted[]): Ledger {
  const ledger = emptyLedger()
  for (const { method = 'GET', endpoint, status, times = 1, requestBytes = 0, responseBytes = status === 499 ? 'any' : 0, failure } of expected) {
    const route = `${method} ${endpoint}`
    add(ledger.requests, `${route} ${status}`, times)
    add(ledger.durations, `${route} ${status}`, times)
    add(ledger.requestSizes, route, times)
    add(ledger.responseSizes, route, times)
    add(ledger.requestBytes, route, requestBytes === 'any' ? NaN : requestBytes)
    add(ledger.responseBytes, route, responseBytes === 'any' ? NaN : responseBytes)
    if (failure !== undefined) add(ledger.failures, `${route} ${failure}`, times)
  }
  return ledger
}

function emptyLedger (): Ledger {
  return {
    requests: {},
    durations: {},
    requestSizes: {},
    responseSizes: {},
    requestBytes: {},
    responseBytes: {},
    inProgress: {},
    failures: {}
  }
}

function add (counts: Record<string, number>, key: string, value: number): void {
  counts[key] = (counts[key] ?? 0) + value
}

export function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, value) => total + value, 0)
}
