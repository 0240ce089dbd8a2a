import { createNoopMeter } from '@opentelemetry/api'
import type { Meter, MeterOptions, MeterProvider } from '@opentelemetry/api'

/**
 * A MeterProvider that is made when somebody first asks for a meter: many services never do, and the SDK takes time and memory.
 * It never throws: where none can be made, meters record nothing.
 */
export class LateMeterProvider implements MeterProvider {
  readonly #make: () => MeterProvider
  readonly #onFailure: (error: unknown) => void
  #provider: MeterProvider | undefined

  constructor (make: () => MeterProvider, onFailure: (error: unknown) => void) {
    this.#make = make
    this.#onFailure = onFailure
  }

  getMeter (name: string, version?: string, options?: MeterOptions): Meter {
    this.#provider ??= this.#made()
    return this.#provider.getMeter(name, version, options)
  }

  /** Whoever still asks from now on gets meters that record nothing. */
  close (): void {
    this.#provider ??= NOTHING
  }

  #made (): MeterProvider {
    try {
      return this.#make()
    } catch (error) {
      this.#onFailure(error)
      return NOTHING
    }
  }
}

const NOTHING: MeterProvider = { getMeter: createNoopMeter }
