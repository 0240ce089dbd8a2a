/** What fits a label: codes and class names, never messages. */
const CODE = /^[A-Za-z0-9_.-]{1,64}$/

/** What kind of error it was: its code (SQLSTATE, `ECONNREFUSED`, a driver's own), else the name of its class, else `other`. */
export function errorTypeOf (error: unknown): string {
  try {
    const { code, name } = (error ?? {}) as { code?: unknown, name?: unknown }
    if (typeof code === 'number' || (typeof code === 'string' && CODE.test(code))) return String(code)
    return typeof name === 'string' && CODE.test(name) ? name : 'other'
  } catch {
    // A getter of somebody else's.
    return 'other'
  }
}
