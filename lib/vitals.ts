import type { Clients, InstrumentOptions } from './clients/clients.ts'
import type { Endpoint } from './endpoint/endpoint.ts'
import type { PromView } from './bridges/prom-view.ts'
import { shown, VitalsError } from './errors.ts'
import type { Format } from './export/format.ts'
import type { Exposition } from './export/exposition.ts'
import type { Pusher } from './export/pusher.ts'
import type { RateLimiter } from './limiter/rate-limiter.ts'
import type { Registry } from './series/registry.ts'
import type { HistogramValue } from './series/snapshot.ts'

/** The ways out that are on. */
export interface Doors {
  readonly exposition: Exposition
  readonly endpoint: Endpoint | undefined
  readonly pusher: Pusher | undefined
  readonly promRegistry: PromView
  readonly rateLimiter: RateLimiter
  /** `undefined` where nothing is recorded. */
  readonly clients: Clients | undefined
}

/** What `app.vitals` offers. */
export class Vitals {
  /** Whether anything is recorded. */
  readonly enabled: boolean
  /** The store, to define metrics in or to share with other Fastify instances. */
  readonly registry: Registry
  /** Defines a counter; the same definition again returns the same counter. */
  readonly counter: Registry['counter']
  /** Defines a gauge. */
  readonly gauge: Registry['gauge']
  /** Defines a histogram. */
  readonly histogram: Registry['histogram']
  /** Defines an info: facts as labels. */
  readonly info: Registry['info']
  /** Where limiters other than @fastify/rate-limit report. */
  readonly rateLimiter: RateLimiter
  /** Everything shown, in the shape of a prom-client registry: for its Pushgateway, and for code that asks for a `Registry`. */
  readonly promRegistry: PromView
  readonly #doors: Doors

  constructor (enabled: boolean, registry: Registry, doors: Doors) {
    this.enabled = enabled
    this.registry = registry
    this.counter = registry.counter.bind(registry) as Registry['counter']
    this.gauge = registry.gauge.bind(registry) as Registry['gauge']
    this.histogram = registry.histogram.bind(registry) as Registry['histogram']
    this.info = registry.info.bind(registry) as Registry['info']
    this.rateLimiter = doors.rateLimiter
    this.promRegistry = doors.promRegistry
    this.#doors = doors
  }

  /** Where to scrape (`http://127.0.0.1:3000/v1/metrics`); `undefined` where there is no endpoint, or before it listens. */
  get url (): string | undefined {
    return this.#doors.endpoint?.url()
  }

  /**
   * Measures a client of a database or a cache, recognised by what it is. Returns the client, unchanged in type and behaviour; for
   * Prisma, whose clients cannot be changed, the extended client, which is the one to use. Once more is once.
   * Throws `FSV_ERR_UNKNOWN_CLIENT`, with a list of those that are known, `FSV_ERR_CLIENT_CONNECTED` where a client must not be connected yet, and
   * `FSV_ERR_CLIENT_LOCKED` where it cannot be changed (frozen, sealed); the client is as it was then.
   */
  instrument<C extends object> (client: C, options: InstrumentOptions): C {
    return this.#doors.clients === undefined ? client : this.#doors.clients.instrument(client, options)
  }

  /** Leaves a client as it was; `app.close()` does so for all. Returns whether it was instrumented by this application. */
  uninstrument (client: object): boolean {
    return this.#doors.clients?.uninstrument(client) ?? false
  }

  /** All metrics as text. @default { format: 'prometheus' } */
  async render (options: { readonly format?: Format } = {}): Promise<string> {
    const { format = 'prometheus' } = options
    if (format !== 'prometheus' && format !== 'openmetrics') {
      throw new VitalsError('FSV_ERR_INVALID_OPTION', `Option format of render() must be 'prometheus' or 'openmetrics', got: ${shown(format)}`)
    }
    return await this.#doors.exposition.render(format)
  }

  /** Pushes now, beside the interval; does nothing where nothing is pushed. Never rejects: failures are counted and logged. */
  async push (): Promise<void> {
    await this.#doors.pusher?.flush()
  }

  /** The value of a series now, for tests; `undefined` where there is no such metric or series. */
  read (name: string, labels?: Readonly<Record<string, unknown>>): number | HistogramValue | undefined {
    return this.registry.read(name, labels)
  }
}
