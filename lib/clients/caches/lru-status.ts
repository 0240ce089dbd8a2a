/** What lru-cache writes down of an operation, if asked to. */
export interface LruStatusFields {
  get?: string
  set?: string
  memo?: string
  fetch?: string
  returnedStale?: boolean
}

/** A status object of ours: what carries it belongs to a call that is observed already. */
export class LruStatus {
  declare get?: string
  declare memo?: string
  declare fetch?: string
  declare returnedStale?: boolean
}

/** Of a `set()`. */
export class SetStatus extends LruStatus {
  declare set?: string
}

/** Of a `memo()`. */
export class MemoStatus extends LruStatus {
  declare set?: string
  readonly #onMade: (value: unknown) => void

  static {
    onFirstWriting<MemoStatus>(MemoStatus, 'value', (status, value) => status.#onMade(value))
  }

  /** `onMade` is called by version 11 with what has been made, before it is put into the cache. */
  constructor (onMade: (value: unknown) => void) {
    super()
    this.#onMade = onMade
  }
}

/** What is done at the end of a fetch, which comes when it likes. */
export interface FetchEnd {
  /** It has come to its end. */
  onEnd (): void
  /** Its value is about to be put into the cache. */
  onUpdate (): void
  /** It has been, or was too large for it (`miss`). */
  onSet (what: unknown): void
}

/** Of a fetch. */
export class FetchStatus extends LruStatus {
  readonly #end: FetchEnd

  static {
    for (const name of ['fetchResolved', 'fetchRejected', 'fetchAborted']) onFirstWriting<FetchStatus>(FetchStatus, name, status => status.#end.onEnd())
    onFirstWriting<FetchStatus>(FetchStatus, 'fetchUpdated', status => status.#end.onUpdate())
    onFirstWriting<FetchStatus>(FetchStatus, 'set', (status, what) => status.#end.onSet(what))
  }

  constructor (end: FetchEnd) {
    super()
    this.#end = end
  }
}

/** From then on it is a field as any other, for those who read the status from the library's channels. */
function onFirstWriting<S extends LruStatus> (type: { readonly prototype: S }, name: string, listen: (status: S, value: unknown) => void): void {
  Object.defineProperty(type.prototype, name, {
    get: () => undefined,
    set (this: S, value: unknown) {
      listen(this, value)
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
    }
  })
}
