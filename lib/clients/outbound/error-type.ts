/** How the codes of Node, of the system, TLS, the parser and undici look: ECONNREFUSED, CERT_HAS_EXPIRED, UND_ERR_SOCKET. */
const CODE = /^[A-Z][A-Z0-9_]{1,63}$/

const NAME = /^[A-Za-z]\w{0,63}$/

/** The `error.type` of a failed request: the error's code, else its name, else `other`; never its message. */
export function toErrorType (error: unknown): string {
  const { code, name } = Object(error) as { readonly code?: unknown, readonly name?: unknown }
  if (typeof code === 'string' && CODE.test(code)) return code
  return typeof name === 'string' && NAME.test(name) ? name : 'other'
}
