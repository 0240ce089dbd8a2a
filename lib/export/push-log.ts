import type { Registry } from '../series/registry.ts'
import type { PushObserver } from './push-exporter.ts'

/** The application's log, as far as pushes use it. */
export interface PushLogger {
  info (message: string): void
  warn (message: string): void
}

/** Counts pushes in the store, and logs each time that they begin to fail or to work again. */
export function createPushLog (registry: Registry, target: string, log: PushLogger): PushObserver {
  const duration = registry.histogram({ name: 'vitals_export_duration_seconds', help: 'Time that a push took, retries included.', unit: 'seconds', otlp: { name: 'vitals.export.duration', unit: 's' } })
  const failures = registry.counter({ name: 'vitals_export_failures_total', help: 'Pushes that did not arrive, by reason.', labels: ['reason'], otlp: { name: 'vitals.export.failures.total', unit: '{push}', isInteger: true } })
  const last = registry.gauge({ name: 'vitals_last_export_timestamp_seconds', help: 'When a push arrived last, in seconds since the epoch.', unit: 'seconds', otlp: { name: 'vitals.last_export.timestamp', unit: 's' } })
  let isFailing = false
  return {
    succeeded (seconds) {
      duration.observe(seconds)
      last.set(Date.now() / 1_000)
      if (isFailing) log.info(`Metrics are pushed to ${target} again`)
      isFailing = false
    },
    failed (reason, seconds, error) {
      duration.observe(seconds)
      failures.inc({ reason })
      if (!isFailing) log.warn(`Metrics cannot be pushed to ${target} (${reason}: ${String(error)}). The next push that arrives carries everything; vitals_export_failures_total counts on`)
      isFailing = true
    }
  }
}
