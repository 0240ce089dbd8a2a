import type { FastifyInstance } from 'fastify'
import fastify from 'fastify'
import type { Test } from 'tap'
import vitals from '../../../../lib/index.ts'
import type { VitalsOptions } from '../../../../lib/index.ts'
import { eventually, turn } from '../../../support/gate.ts'
import { parseSamples } from '../../../support/samples.ts'

export interface Books {
  /** `GET 127.0.0.1:80 200` → how many. */
  requests: Record<string, number>
  /** The same as the duration histogram counts them. */
  durations: Record<string, number>
  /** Hosts whose gauge is not at rest. */
  inProgress: Record<string, number>
  /** Seconds, of all durations. */
  seconds: number
}

/** An application that counts what this process asks others for. */
export async function startOutbound (t: Test, options: VitalsOptions = {}): Promise<FastifyInstance> {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false, outbound: true, ...options })
  await app.ready()
  return app
}

export async function readBooks (app: FastifyInstance): Promise<Books> {
  const books: Books = { requests: {}, durations: {}, inProgress: {}, seconds: 0 }
  for (const { name, labels, value } of parseSamples(await app.vitals.render())) {
    const key = `${labels['method']} ${labels['host']} ${labels['status']}`
    if (name === 'http_client_requests_total') books.requests[key] = value
    else if (name === 'http_client_request_duration_seconds_count') books.durations[key] = value
    else if (name === 'http_client_request_duration_seconds_sum') books.seconds += value
    else if (name === 'http_client_requests_in_progress' && value !== 0) books.inProgress[labels['host']!] = value
  }
  return books
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((total, count) => total + count, 0)

/** Waits until as many requests are counted and none is under way, gives strays their chance, and compares all. */
export async function expectOutbound (t: Test, app: FastifyInstance, expected: Record<string, number>, message = 'counts these and no others'): Promise<Books> {
  await eventually(async () => {
    const { requests, inProgress } = await readBooks(app)
    return sum(requests) >= sum(expected) && sum(inProgress) === 0
  })
  for (let i = 0; i < 5; i++) await turn()
  const books = await readBooks(app)
  t.strictSame({ requests: books.requests, durations: books.durations, inProgress: books.inProgress }, { requests: expected, durations: expected, inProgress: {} }, message)
  return books
}
