/** What lru-cache writes down of an operation, if asked to. */
export interface LruStatusFields {
  get?: string
  set?: string
  memo?: string
  fetch?: string
  returnedStale?: boolean
}

/** A status object of ours: what carries it belongs to a call that is observed already. */
export class LruStatus implements LruStatusFields {
  declare get?: string
  declare set?: string
  declare memo?: string
  declare fetch?: string
  declare returnedStale?: boolean

  /** The application's own where it has one, since it wants to read it. */
  static of (options: unknown): LruStatusFields {
    return (options as { status?: LruStatusFields } | undefined)?.status ?? new LruStatus()
  }
}
