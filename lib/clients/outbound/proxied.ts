/** The origin of a request that is sent to a proxy in absolute form (RFC 9112, section 3.2.2); `undefined` for any other path. */
export function proxiedOrigin (path: string): string | undefined {
  return !path.startsWith('/') && /^https?:/i.test(path) && URL.canParse(path) ? new URL(path).origin : undefined
}
