import type { ShownHeaders } from './check.ts'
import { LIMITER_HEADERS } from './check.ts'
import type { Hidden } from './limiter-watch.ts'

type Flags = Readonly<Record<string, unknown>>
type Callback = (this: unknown, ...args: unknown[]) => unknown

/** The options of a limiter, or of a route of it, that matter here; there are others. */
export interface LimiterOptions {
  readonly addHeaders?: Flags | undefined
  readonly addHeadersOnExceeding?: Flags | undefined
  readonly enableDraftSpec?: unknown
  readonly onBanReach?: unknown
  readonly store?: unknown
}

/** Options to give to a limiter instead of the application's, and what is to be done with what comes of them. */
export interface PreparedOptions<O> {
  readonly options: O
  /** What the application wants to be shown; `undefined` where that is everything. */
  readonly shown: ShownHeaders | undefined
  /** What the limiter may hide of its decisions; `undefined` where that is nothing. */
  readonly hidden: Hidden | undefined
}

const ALL: Flags = Object.freeze(Object.fromEntries(LIMITER_HEADERS.map(name => [name, true])))
const ASK_ALL = { addHeaders: ALL, addHeadersOnExceeding: ALL } as const

/** What the application wants of one registration of @fastify/rate-limit, and how to ask it for what tells its decisions. */
export class LimiterSettings {
  readonly #own: LimiterOptions
  readonly #names: readonly string[]
  readonly #shown: ShownHeaders
  /** Whether the limiter was there before us, so that nothing could be asked of it as a whole. */
  readonly isFound: boolean
  readonly #banned: WeakSet<object>

  constructor (own: LimiterOptions, isFound: boolean, banned: WeakSet<object>) {
    this.#own = own
    this.isFound = isFound
    this.#banned = banned
    this.#names = own.enableDraftSpec === true ? [...LIMITER_HEADERS.slice(3, 6), 'retry-after'] : [...LIMITER_HEADERS.slice(0, 3), 'retry-after']
    this.#shown = { whenAllowed: { ...ALL, ...own.addHeadersOnExceeding }, whenRejected: { ...ALL, ...own.addHeaders } }
  }

  /** The options of the registration: everything stays as the application gave it, but what is hidden is asked for too. */
  ofRegistration (watchedStore: (store: never) => unknown): LimiterOptions {
    const { store, onBanReach } = this.#own
    return Object.assign(Object.create(this.#own) as object, {
      ...!this.#showsAll(this.#shown) && ASK_ALL,
      ...typeof store === 'function' && { store: watchedStore(store as never) },
      onBanReach: this.#noting(onBanReach)
    })
  }

  /** The options of a route or of a decorator; `undefined` where it has none of its own and the limiter's hold. */
  ofRoute<O extends LimiterOptions | undefined> (own: O): PreparedOptions<O> {
    if (own === undefined) {
      if (this.#showsAll(this.#shown)) return { options: own, shown: undefined, hidden: undefined }
      return this.isFound ? { options: own, shown: undefined, hidden: this.hiddenAt(own) } : { options: own, shown: this.#shown, hidden: undefined }
    }
    const shown = { whenAllowed: own.addHeadersOnExceeding ?? this.#shown.whenAllowed, whenRejected: own.addHeaders ?? this.#shown.whenRejected }
    const hides = !this.#showsAll(shown)
    // A limiter that came after us notes bans by itself.
    const onBanReach = own.onBanReach ?? (this.isFound ? this.#own.onBanReach : undefined)
    if (!hides && onBanReach === undefined) return { options: own, shown: undefined, hidden: undefined }
    const options = { ...own, ...hides && ASK_ALL, ...onBanReach !== undefined && { onBanReach: this.#noting(onBanReach) } }
    return { options, shown: hides ? shown : undefined, hidden: undefined }
  }

  /** What is hidden at a route that was declared before us. */
  hiddenAt (own: LimiterOptions | undefined): Hidden {
    const whenAllowed = own?.addHeadersOnExceeding ?? this.#shown.whenAllowed
    const whenRejected = own?.addHeaders ?? this.#shown.whenRejected
    return { allowed: !this.#names.some(name => name !== 'retry-after' && whenAllowed[name]), refused: !whenRejected['retry-after'] }
  }

  #showsAll ({ whenAllowed, whenRejected }: ShownHeaders): boolean {
    return this.#names.every(name => whenRejected[name] && (name === 'retry-after' || whenAllowed[name]))
  }

  /** `onBanReach` as the application gave it, or none; the ban is noted first. */
  #noting (original: unknown): Callback {
    const banned = this.#banned
    return function (...args) {
      banned.add(args[0] as object)
      return typeof original === 'function' ? original.apply(this, args) as unknown : undefined
    }
  }
}

/**
 * What a limiter that is there already was registered with. Its route hook refuses options whose `groupId` is no string,
 * before it makes a store for them, and reads that from a copy of all its settings: the prototype below, which the copy
 * takes on, is asked for `groupId` and sees them. Nothing is left behind; what is not a limiter's hook is not called.
 */
export function settingsOf (routeHook: (route: object) => unknown): LimiterOptions {
  let seen: object = {}
  const probe = {
    get groupId () {
      seen = { ...this }
      return 0
    }
  }
  try {
    routeHook({ config: { rateLimit: Object.defineProperty({}, '__proto__', { value: probe, enumerable: true }) } })
  } catch {
    // Refused, as meant.
  }
  return seen as LimiterOptions
}
