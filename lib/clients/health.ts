import type { Registry } from '../series/registry.ts'
import { WeakReadings } from './weak-readings.ts'

const metricsOfStores = new WeakMap<Registry, HealthMetrics>()

/** What is known of what the service depends on. Its names, types, labels and units are a contract. */
export class HealthMetrics {
  /** Several under one name are up only if all of them are. */
  readonly #dependencies = new WeakReadings<'status'>(Math.min)

  private constructor (registry: Registry) {
    registry.gauge({
      name: 'health_dependency_status',
      help: 'Whether a dependency can be reached: 1 up, 0 down.',
      labels: ['dependency'],
      collect: status => this.#dependencies.show({ status }),
      otlp: { name: 'health.dependency.status', isUpDown: true, isInteger: true }
    })
  }

  /** Those of a store; the gauge is defined by the first who asks. */
  static of (registry: Registry): HealthMetrics {
    let metrics = metricsOfStores.get(registry)
    if (metrics === undefined) metricsOfStores.set(registry, metrics = new HealthMetrics(registry))
    return metrics
  }

  /**
   * Shows a dependency, read at each snapshot, for as long as the object lives or until the returned function is called.
   * `isUp` is a function of its module, not a closure, which would hold the object; what it does not know (`undefined`) is not shown.
   */
  watchDependency<O extends object> (name: string, object: O, isUp: (object: O) => boolean | undefined): () => void {
    return this.#dependencies.watch([name], object, object => {
      const up = isUp(object)
      return { status: up === undefined ? undefined : Number(up) }
    })
  }
}
