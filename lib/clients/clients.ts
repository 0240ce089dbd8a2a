import { shown, thrown, VitalsError } from '../errors.ts'
import type { Registry } from '../series/registry.ts'
import { ADAPTERS } from './adapters.ts'
import { allOrNothing, isAttaching } from './all-or-nothing.ts'
import type { Attachment, ClientAdapter, ClientContext } from './client-adapter.ts'
import type { HeldClient } from './client-sets.ts'
import { ClientSets } from './client-sets.ts'

/** How a client is instrumented. */
export interface InstrumentOptions {
  /** What its series are called: label `client` of databases, `cache_type` of caches. 1 to 128 characters. */
  readonly name: string
}

const LONGEST_NAME = 128

/** The clients that one application has instrumented. They are held weakly: one that the application drops can be collected. */
export class Clients {
  readonly #sets: ClientSets
  readonly #warn: (message: string) => void
  /** Those that it uses, and what holds each weakly. */
  readonly #own = new WeakMap<object, WeakRef<object>>()
  readonly #refs = new Set<WeakRef<object>>()
  readonly #dropped = new FinalizationRegistry<WeakRef<object>>(ref => this.#refs.delete(ref))

  /** `withErrorTypes`: whether durations are kept by error too. */
  constructor (registry: Registry, withErrorTypes: boolean, warn: (message: string) => void) {
    this.#sets = ClientSets.of(registry)
    if (withErrorTypes) this.#sets.keepErrorTypes()
    this.#warn = warn
  }

  /** Observes a client; returns it, or what takes its place. Throws a `VitalsError` where it is none that is known. */
  instrument<C extends object> (client: C, options: InstrumentOptions): C {
    const name = checkName(options)
    if ((typeof client !== 'object' && typeof client !== 'function') || client === null) throw unknownClient(client)
    const held = this.#sets.held.get(client) ?? this.#attach(client, name)
    if (held === undefined) return client
    if (held.name !== name) this.#warn(`A client is instrumented as ${shown(held.name)} already: it keeps that name, ${shown(name)} is not used`)
    this.#hold(held)
    return (held.client ?? client) as C
  }

  /** Leaves a client as it was. Returns whether this application had instrumented it. */
  uninstrument (client: object): boolean {
    const held = this.#sets.held.get(client)
    if (held === undefined || !this.#letGo(held.given)) return false
    if (--held.users > 0) return true
    for (const one of [held.given, held.client ?? held.given]) {
      this.#sets.held.delete(one)
      this.#sets.observed.delete(one)
    }
    held.detach()
    return true
  }

  /** Leaves all of them as they were. */
  close (): void {
    for (const ref of this.#refs) {
      const client = ref.deref()
      if (client !== undefined) this.uninstrument(client)
    }
    this.#refs.clear()
  }

  #hold (held: HeldClient): void {
    if (this.#own.has(held.given)) return
    held.users++
    const ref = new WeakRef(held.given)
    this.#own.set(held.given, ref)
    this.#refs.add(ref)
    this.#dropped.register(held.given, ref, ref)
  }

  /** Keeps nothing of a client that may come again and again. Returns whether it was held. */
  #letGo (given: object): boolean {
    const ref = this.#own.get(given)
    if (ref === undefined) return false
    this.#own.delete(given)
    this.#dropped.unregister(ref)
    return this.#refs.delete(ref)
  }

  /** `undefined` where the client is a part of one that is observed already. */
  #attach (client: object, name: string): HeldClient | undefined {
    const adapter = ADAPTERS.find(adapter => isOf(adapter, client))
    if (adapter === undefined) throw unknownClient(client)
    const sets = this.#sets
    if (sets.observed.has(client)) return undefined
    let isTold = false
    const context: ClientContext = {
      name,
      observed: sets.observed,
      db: (system, namespace) => sets.db(name, system, namespace),
      cache: () => sets.cache(name),
      watchConnection: (client, isUp) => sets.health.watchDependency(name, client, isUp),
      warn: this.#warn,
      attachPart: attach => {
        if (isAttaching()) return attach()
        try {
          return allOrNothing(attach)
        } catch (error) {
          if (!isTold) this.#warn(`A connection of client ${shown(name)} is not counted, it cannot be observed: ${thrown(error)}`)
          isTold = true
          return undefined
        }
      }
    }
    const held = { ...attachWholly(adapter, client, context), given: client, name, users: 0 }
    for (const one of [client, held.client ?? client]) {
      sets.held.set(one, held)
      sets.observed.add(one)
    }
    return held
  }
}

/** Throws an error of ours where the client cannot be changed, which is as it was then. */
function attachWholly (adapter: ClientAdapter, client: object, context: ClientContext): Attachment {
  try {
    return allOrNothing(() => adapter.attach(client, context))
  } catch (error) {
    if (error instanceof VitalsError) throw error
    throw new VitalsError('FSV_ERR_CLIENT_LOCKED', `instrument(client, { name }) must be given a client whose methods can be wrapped, got: ${kindOf(client)} that does not let them (${thrown(error)}). Instrument it before it is frozen or sealed, or what is inside of its proxy`, { cause: error })
  }
}

/** A client that cannot even be looked at is none. */
function isOf (adapter: ClientAdapter, client: object): boolean {
  try {
    return adapter.recognises(client)
  } catch {
    return false
  }
}

function checkName (options: unknown): string {
  const name = (options as InstrumentOptions | null | undefined)?.name
  if (typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME) return name
  throw new VitalsError('FSV_ERR_INVALID_OPTION', `Option name of instrument(client, { name }) must be a string of 1 to ${LONGEST_NAME} characters, got: ${shown(name)}`)
}

function unknownClient (client: unknown): VitalsError {
  return new VitalsError('FSV_ERR_UNKNOWN_CLIENT', `instrument(client, { name }) must be given one of ${ADAPTERS.map(({ title }) => title).join('; ')}, got: ${kindOf(client)}`)
}

function kindOf (client: unknown): string {
  return typeof client === 'object' && client !== null ? `an object of class ${classOf(client)}` : shown(client)
}

function classOf (client: object): string {
  try {
    return shown((Object.getPrototypeOf(client) as { constructor?: { name?: unknown } } | null)?.constructor?.name ?? 'unknown')
  } catch {
    // A revoked proxy.
    return shown('unknown')
  }
}
