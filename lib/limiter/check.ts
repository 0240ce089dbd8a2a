import { performance } from 'node:perf_hooks'
import type { FastifyRequest } from 'fastify'
import type { CheckRecorder } from './check-recorder.ts'
import type { Call, StoreCallback } from './stores.ts'
import { WatchedStore } from './watched-store.ts'

/**
 * One check of one request, which its limiter takes for its store: what that answers tells all that the limiter decides,
 * when it decides it. This is the hot path of limited routes, measured in bench.
 */
export class Check {
  /** Whether the limiter has looked up its store, as all do that we know, before anything else. */
  isBegun = false
  /** Whether it has asked its store. */
  isAsking = false
  #watched: WatchedStore | undefined = undefined
  /** Until the limiter waits for something: its store, asked by then, begins when the check does. */
  #isStarting = true
  #isOver = false
  readonly #checks: CheckRecorder
  readonly #request: FastifyRequest
  readonly #startMs: number

  constructor (checks: CheckRecorder, request: FastifyRequest, startMs: number) {
    this.#checks = checks
    this.#request = request
    this.#startMs = startMs
  }

  /** What the limiter gets for its store: this, or the store where it has one that it cannot use. */
  take (store: unknown): unknown {
    this.isBegun = true
    if (!(store instanceof WatchedStore)) return store
    if (typeof store.store.incr !== 'function') return store.store
    this.#watched = store
    return this
  }

  incr (key: unknown, callback: StoreCallback, timeWindow: unknown, max: unknown): ReturnType<Call> {
    this.isAsking = true
    const startMs = this.#isStarting ? this.#startMs : performance.now()
    try {
      return this.#watched!.store.incr!(key, (error, result) => {
        this.#answered(error, result, max, startMs)
        callback(error, result)
      }, timeWindow, max)
    } catch (error) {
      this.#answered(error, undefined, max, startMs)
      throw error
    }
  }

  /** The limiter waits, or has ended: what it does without asking its store is told by how it ends. */
  started (outcome: Promise<unknown>): void {
    this.#isStarting = false
    if (this.isAsking) return
    outcome.then(() => {
      if (!this.isAsking) this.#checks.bypassed(this.#request, this.#secondsUntil(performance.now()))
    }, error => {
      if (!this.isAsking) this.#checks.failed(this.#request, this.#secondsUntil(performance.now()), error)
    })
  }

  /** The first answer counts, as it does for the limiter. */
  #answered (error: unknown, result: unknown, max: unknown, startMs: number): void {
    if (this.#isOver) return
    if (!error && result instanceof Promise) {
      result.then(result => this.#answered(error, result, max, startMs), error => this.#answered(error, undefined, max, startMs))
      return
    }
    this.#isOver = true
    const endMs = performance.now()
    const seconds = this.#secondsUntil(endMs)
    const { times, options } = this.#watched!
    times.incr((endMs - startMs) / 1_000)
    if (error) return this.#checks.failed(this.#request, seconds, error)
    let current: number
    let remaining: number
    const limit = max as number
    try {
      current = (result as { current: number }).current
      remaining = Math.max(0, limit - current)
    } catch (error) {
      // The limiter cannot reckon with it either.
      return this.#checks.failed(this.#request, seconds, error)
    }
    if (!(current > limit)) return this.#checks.allowed(this.#request, seconds, remaining, limit)
    const ban = options.ban as number
    this.#checks.rejected(this.#request, seconds, ban !== -1 && current - limit > ban ? 'banned' : 'exceeded', limit)
  }

  #secondsUntil (endMs: number): number {
    return (endMs - this.#startMs) / 1_000
  }
}
