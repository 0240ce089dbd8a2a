import type { FastifyReply, FastifyRequest } from 'fastify'
import { Deadline } from './deadline.ts'

const DEFAULT_SECONDS = 10
const LONGEST_SECONDS = 120

/** The deadlines of the scrapes under way. */
export class Deadlines {
  readonly #open = new Set<Deadline>()
  readonly #ofRequest = new WeakMap<FastifyRequest, Deadline>()

  /** Starts the request's deadline: the time that Prometheus says it waits, or 10 seconds. It ends with the response at the latest. */
  start (request: FastifyRequest, reply: FastifyReply): Deadline {
    const deadline = new Deadline(request.log)
    this.#open.add(deadline)
    this.#ofRequest.set(request, deadline)
    // Node never closes a pipelined response whose turn does not come: the timer is what ends that one.
    deadline.signal.addEventListener('abort', () => this.#open.delete(deadline))
    reply.raw.once('close', () => deadline.end())
    const seconds = toSeconds(request.headers['x-prometheus-scrape-timeout-seconds'])
    deadline.endWithin(seconds * 1000, `not done within ${seconds} s`)
    return deadline
  }

  /** The deadline that was started for this request. */
  of (request: FastifyRequest): Deadline {
    return this.#ofRequest.get(request) as Deadline
  }

  /** The application closes: it need not wait long for a scraper that does not read. */
  endAllWithin (milliseconds: number): void {
    for (const deadline of this.#open) deadline.endWithin(milliseconds, 'the application is closing')
  }
}

function toSeconds (header: string | string[] | undefined): number {
  const seconds = Number(header)
  return seconds > 0 ? Math.min(seconds, LONGEST_SECONDS) : DEFAULT_SECONDS
}
