/** Stable codes of everything this package throws; messages may change, codes do not. */
export type VitalsErrorCode =
  | 'FSV_ERR_ALREADY_REGISTERED'
  | 'FSV_ERR_AUTH_UNDECIDED'
  | 'FSV_ERR_INVALID_OPTION'
  | 'FSV_ERR_INVALID_ROUTE_CONFIG'
  | 'FSV_ERR_INVALID_METRIC'
  | 'FSV_ERR_METRIC_CONFLICT'
  | 'FSV_ERR_LISTEN'
  | 'FSV_ERR_MISSING_PACKAGE'
  | 'FSV_ERR_UNKNOWN_CLIENT'
  | 'FSV_ERR_CLIENT_CONNECTED'
  | 'FSV_ERR_CLIENT_LOCKED'

/** An error of this package: what was expected, what came, what to do, and a stable {@link VitalsErrorCode}. */
export class VitalsError extends Error {
  readonly code: VitalsErrorCode

  constructor (code: VitalsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'VitalsError'
    this.code = code
  }
}

const SHOWN_LENGTH = 80

/** A value as an error message shows it: short, on one line, never a whole object graph. */
export function shown (value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return `[${value.slice(0, 20).map(shown).join(', ')}${value.length > 20 ? ', …' : ''}]`
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

/** What was thrown, as an error message shows it. */
export function thrown (error: unknown): string {
  return error instanceof Error ? error.message : shown(error)
}
