type Callback = (error: Error | null, result?: { current: number, ttl: number }) => void

/** A store as an application writes one. It notes each call, and fails for keys that begin with "broken". */
export class CustomStore {
  static readonly made: CustomStore[] = []
  readonly calls: unknown[][] = []
  readonly options: object
  /** The options as they were when it was made. */
  readonly seen: unknown
  readonly #counts = new Map<string, number>()

  constructor (options: object) {
    this.options = options
    this.seen = described(options)
    CustomStore.made.push(this)
  }

  incr (key: string, callback: Callback, timeWindow: number, max: number): void {
    this.calls.push(['incr', key, timeWindow, max, arguments.length])
    if (key.startsWith('broken')) return callback(Object.assign(new Error('the store is down'), { code: 'ESTORE' }))
    const current = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, current)
    setImmediate(callback, null, { current, ttl: timeWindow })
  }

  child (routeOptions: object): CustomStore {
    this.calls.push(['child', Object.keys(routeOptions).sort(), (routeOptions as { routeInfo: { url?: string } }).routeInfo.url])
    return new CustomStore(routeOptions)
  }
}

/** Options, and what they hold, by value; functions by their text. */
export function described (options: object): unknown {
  return Object.entries(options).map(([name, value]) => [name, name === 'routeInfo' ? described({ ...(value as { config?: object }).config }) : describedValue(value)])
}

function describedValue (value: unknown): unknown {
  if (typeof value === 'function') return String(value)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? described(value) : value
}

/** A store whose children cannot be told from each other's calls: `incr` is of each instance. */
export class ClosedStore {
  #current = 0
  incr = (_key: string, callback: (error: null, result: object) => void): void => callback(null, { current: ++this.#current, ttl: 3_600_000 })
  child (): ClosedStore { return new ClosedStore() }
}
