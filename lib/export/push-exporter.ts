import { performance } from 'node:perf_hooks'
import { globalErrorHandler } from '@opentelemetry/core'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { toMessages } from './messages.ts'
import type { PushFailure } from './push-failure.ts'
import { toPushFailure } from './push-failure.ts'

type ResultCallback = Parameters<PushMetricExporter['export']>[1]
type ExportResult = Parameters<ResultCallback>[0]

/** Success and failure in OpenTelemetry's `ExportResultCode`. */
const SUCCESS = 0
const FAILED = 1

/** Told how a push went. */
export interface PushObserver {
  /** A message of the push arrived, whatever becomes of the others. */
  arrived? (message: ResourceMetrics): void
  succeeded (durationSeconds: number): void
  failed (reason: PushFailure, durationSeconds: number, error: unknown): void
}

/** What a push is given, and what to do where it takes longer. */
export interface PushLimits {
  readonly timeoutMs: number
  readonly cut: () => void
  /** Most points in one message. */
  readonly pointsPerMessage: number
}

/** Another exporter, watched: each push, in as many messages as it takes, ends once, in time, and is told of. */
export class WatchedExporter implements Pick<PushMetricExporter, 'export'> {
  readonly #exporter: PushMetricExporter
  readonly #observer: PushObserver
  readonly #limits: PushLimits
  /** How to leave each push that is under way: older SDKs begin one beside another. */
  readonly #underWay = new Set<() => void>()
  #isClosed = false

  constructor (exporter: PushMetricExporter, observer: PushObserver, limits: PushLimits) {
    this.#exporter = exporter
    this.#observer = observer
    this.#limits = limits
  }

  export (metrics: ResourceMetrics, resultCallback: ResultCallback): void {
    if (this.#isClosed) return resultCallback({ code: FAILED })
    const startedMs = performance.now()
    let isOver = false
    const stop = (): void => {
      isOver = true
      clearTimeout(timer)
      this.#underWay.delete(giveUp)
    }
    const end = (result: ExportResult): void => {
      stop()
      const seconds = (performance.now() - startedMs) / 1_000
      if (result.code === SUCCESS) this.#observer.succeeded(seconds)
      else this.#observer.failed(toPushFailure(result.error), seconds, result.error)
      resultCallback(result)
    }
    const giveUp = (): void => {
      stop()
      resultCallback({ code: FAILED })
    }
    const timer = setTimeout(() => {
      end({ code: FAILED, error: new Error(`The push timed out after ${this.#limits.timeoutMs} ms`) })
      this.#limits.cut()
    }, this.#limits.timeoutMs)
    timer.unref()
    this.#underWay.add(giveUp)
    const messages = toMessages(metrics, this.#limits.pointsPerMessage)
    const send = (): void => {
      try {
        const message = messages.next().value
        if (message === undefined) return end({ code: SUCCESS })
        this.#exporter.export(message, result => {
          if (result.code === SUCCESS) this.#observer.arrived?.(message)
          if (isOver) return
          if (result.code === SUCCESS) send()
          else end(result)
        })
      } catch (error) {
        end({ code: FAILED, error: error as Error })
      }
    }
    send()
  }

  /** Leaves every push that is under way to itself, untold, lets no other begin, and has the exporter end in its own time. */
  close (): void {
    this.#isClosed = true
    for (const giveUp of this.#underWay) giveUp()
    this.#exporter.shutdown().catch(globalErrorHandler)
  }
}
