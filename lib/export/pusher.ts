import type { Resource } from '@opentelemetry/resources'
import { ConsoleMetricExporter, MeterProvider } from '@opentelemetry/sdk-metrics'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { holding } from '../holding.ts'
import type { Registry } from '../series/registry.ts'
import { describeTarget } from './describe-target.ts'
import { createOtlpExporter } from './exporters.ts'
import type { ResolvedOtlp } from './otlp-options.ts'
import { OtlpProducer } from './otlp-producer.ts'
import { PushConnections } from './push-connections.ts'
import { WatchedExporter } from './push-exporter.ts'
import type { PushLogger } from './push-log.ts'
import { createPushLog } from './push-log.ts'
import { PushReader } from './push-reader.ts'

/** Most points in one message: encoding so many histograms holds the event loop for two or three milliseconds. */
const POINTS_PER_MESSAGE = 768

/** Pushes the store at an interval. */
export interface Pusher {
  /** Pushes now, and keeps the process alive until then. Never rejects: failures are counted and logged. */
  flush (): Promise<void>
  /** Pushes for the last time, within the bound. */
  close (): Promise<void>
}

/** Starts pushing to every target. */
export async function startPusher (registry: Registry, resource: Resource, settings: ResolvedOtlp, log: PushLogger): Promise<Pusher> {
  const connections = new PushConnections(settings)
  const targets = await Promise.all(settings.targets.map(async target => {
    const exporter = target === 'console' ? new ConsoleMetricExporter() : await createOtlpExporter(settings, connections, reason => log.warn(`Exemplars are not pushed: ${reason}. All else is`))
    return openTarget(registry, exporter, settings, connections, log, describeTarget(target, settings))
  }))
  const provider = new MeterProvider({ resource, readers: targets.map(({ reader }) => reader) })
  return {
    flush: async () => await holding(provider.forceFlush()),
    close: async () => {
      const isDone = await within(settings.closeTimeoutMs, provider.shutdown())
      connections.close()
      for (const { exporter } of targets) exporter.close()
      if (!isDone) log.warn(`The last push of metrics did not arrive within ${settings.closeTimeoutMs} ms`)
    }
  }
}

/** What reads the store at an interval, and what it pushes through. */
interface Target {
  readonly reader: PushReader
  readonly exporter: WatchedExporter
}

function openTarget (registry: Registry, exporter: PushMetricExporter, settings: ResolvedOtlp, connections: PushConnections, log: PushLogger, target: string): Target {
  const { intervalMs, timeoutMs, isDelta } = settings
  const producer = new OtlpProducer(registry, { isDelta, isConfirmed: true })
  const observer = createPushLog(registry, target, log)
  const watched = new WatchedExporter(exporter, { ...observer, arrived: message => producer.confirm(message) }, {
    timeoutMs,
    cut: () => connections.cut(),
    pointsPerMessage: POINTS_PER_MESSAGE
  })
  return { reader: new PushReader(producer, watched, intervalMs), exporter: watched }
}

/** Whether something ended in time; that it failed is its own business. */
async function within (timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => { timer = setTimeout(resolve, timeoutMs, false) })
  const done = work.then(() => true, () => true)
  const isDone = await Promise.race([done, late])
  clearTimeout(timer)
  return isDone
}
