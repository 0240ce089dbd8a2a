import { performance } from 'node:perf_hooks'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { PushFailure } from './push-failure.ts'
import { toPushFailure } from './push-failure.ts'

type ResultCallback = Parameters<PushMetricExporter['export']>[1]
type ExportResult = Parameters<ResultCallback>[0]

/** Success and failure in OpenTelemetry's `ExportResultCode`. */
const SUCCESS = 0
const FAILED = 1

/** Told how a push went. */
export interface PushObserver {
  succeeded (durationSeconds: number): void
  failed (reason: PushFailure, durationSeconds: number, error: unknown): void
}

/** What a push is given, and what to do where it takes longer. */
export interface PushDeadline {
  readonly timeoutMs: number
  readonly cut: () => void
}

/** Another exporter, watched: each push ends once, in time, and is told of. */
export class WatchedExporter implements PushMetricExporter {
  readonly #exporter: PushMetricExporter
  readonly #observer: PushObserver
  readonly #deadline: PushDeadline

  constructor (exporter: PushMetricExporter, observer: PushObserver, deadline: PushDeadline) {
    this.#exporter = exporter
    this.#observer = observer
    this.#deadline = deadline
  }

  export (metrics: ResourceMetrics, resultCallback: ResultCallback): void {
    const startedMs = performance.now()
    let isOver = false
    const end = (result: ExportResult): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      const seconds = (performance.now() - startedMs) / 1_000
      if (result.code === SUCCESS) this.#observer.succeeded(seconds)
      else this.#observer.failed(toPushFailure(result.error), seconds, result.error)
      resultCallback(result)
    }
    const timer = setTimeout(() => {
      end({ code: FAILED, error: new Error(`The push timed out after ${this.#deadline.timeoutMs} ms`) })
      this.#deadline.cut()
    }, this.#deadline.timeoutMs)
    timer.unref()
    this.#exporter.export(metrics, end)
  }

  async forceFlush (): Promise<void> {
    await this.#exporter.forceFlush()
  }

  async shutdown (): Promise<void> {
    await this.#exporter.shutdown()
  }
}
