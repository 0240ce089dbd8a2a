import type { FastifyRequest } from 'fastify'
import { shown } from '../errors.ts'
import type { CheckRecorder } from './check-recorder.ts'
import { FIXED_WINDOW } from './check-recorder.ts'
import type { ExtraLabels, RejectionReason } from './check-rows.ts'
import { CheckRows } from './check-rows.ts'
import { errorTypeOf } from './error-type.ts'

/** What a limiter tells of one check; all of it may be left out. */
export interface CheckFacts {
  /** Gives the endpoint, whether the client is authenticated, and the application's own labels. */
  readonly request?: FastifyRequest
  /** A route template, never a URL. @default that of the request, else '' */
  readonly endpoint?: string
  /** @default '' */
  readonly group?: string
  /** @default what option `limiter.authenticated` says of the request, else false */
  readonly authenticated?: boolean
  /** `token-bucket`, `sliding-window`, … @default 'fixed-window' */
  readonly algorithm?: string
  /** Time that the check took. */
  readonly durationSeconds?: number
  /** Requests left of the quota after the check. */
  readonly remaining?: number
  /** The quota; gives the used share together with `remaining`. */
  readonly limit?: number
  /** Tokens left in the bucket after the check. */
  readonly tokens?: number
  /** Values of the application's own labels. @default those of option `limiter.labels` for the request */
  readonly labels?: Readonly<Record<string, string>>
}

/** Where limiters other than @fastify/rate-limit report what they decide. Nothing here throws. */
export class RateLimiter {
  readonly #checks: CheckRecorder

  constructor (checks: CheckRecorder) {
    this.#checks = checks
  }

  /** A request was within its quota. */
  allowed (facts: CheckFacts): void {
    this.#record(facts, (rows, labels) => rows.allowed(labels))
  }

  /** A request was refused. @default reason 'exceeded' */
  rejected (facts: CheckFacts & { readonly reason?: RejectionReason }): void {
    this.#record(facts, (rows, labels) => rows.rejected(facts.reason ?? 'exceeded', labels))
  }

  /** A request was let pass without being counted. */
  bypassed (facts: CheckFacts): void {
    this.#record(facts, rows => rows.bypassed())
  }

  /** A check came to no decision: the error, or its kind as text. */
  failed (facts: CheckFacts & { readonly error: unknown }): void {
    this.#record(facts, rows => rows.failed(typeof facts.error === 'string' ? facts.error : errorTypeOf(facts.error)))
  }

  /** A limiter's store has counted or read. */
  storeCall (call: { readonly store: string, readonly operation: string, readonly durationSeconds: number }): void {
    const { storeDuration } = this.#checks.metrics
    if (typeof call !== 'object' || call === null) return storeDuration.fault('value', `a store call must be an object { store, operation, durationSeconds }, got: ${shown(call)}`)
    storeDuration.observe({ store: call.store, operation: call.operation }, call.durationSeconds)
  }

  #record (facts: CheckFacts, decide: (rows: CheckRows, labels: ExtraLabels) => void): void {
    const { requests } = this.#checks.metrics
    if (typeof facts !== 'object' || facts === null) return requests.fault('value', `a check must be an object of facts, got: ${shown(facts)}`)
    const { request, authenticated, durationSeconds, remaining, limit, tokens, labels } = facts
    const rows = this.#rowsOf(facts)
    if (rows === null) return
    rows.check(authenticated ?? (request !== undefined && this.#checks.isAuthenticated(request)), durationSeconds)
    decide(rows, labels ?? (request === undefined ? this.#checks.noLabels : this.#checks.extraOf(request)))
    if (remaining !== undefined) rows.left(remaining, limit)
    if (tokens !== undefined) rows.tokens(tokens)
  }

  /** Rows that nobody keeps: an application may well give another endpoint each time, and the cap must hold for that. */
  #rowsOf ({ request, endpoint, group, algorithm = FIXED_WINDOW }: CheckFacts): CheckRows | null {
    const place = request === undefined ? { endpoint: '', group: '' } : this.#checks.placeOf(request)
    return place === null && endpoint === undefined
      ? null
      : new CheckRows(this.#checks.metrics, endpoint ?? place!.endpoint, group ?? place?.group ?? '', algorithm)
  }
}
