const LONGEST_TYPE = 64

/** What kind of error it is, as a label: the code of the system or the driver, else the error's class; never its message. */
export function errorTypeOf (error: unknown): string {
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown, name?: unknown }
  // A store failed, and its limiter kept the error to itself.
  if (error === undefined) return 'unknown'
  if (isWord(code)) return code
  if (isWord(name)) return name
  return typeof error
}

function isWord (value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_TYPE && /^[A-Za-z]\w*$/.test(value)
}
