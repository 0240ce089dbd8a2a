// The functions that @fastify/rate-limit (10 and 11) makes have no name and no mark. They are told by what stands in
// them; the first survives a minifier. Used only for limiters that were there before us.

/** The hook that gives routes their limit. */
export function isLimiterRouteHook (fn: unknown): boolean {
  return contains(fn, ['Unknown value for route rate-limit configuration'])
}

/** A decorator, `createRateLimit` or `rateLimit`, as far as the plugin is not minified. */
export function isLimiterDecorator (fn: unknown): boolean {
  return contains(fn, ['createLimiterArgs'])
}

function contains (fn: unknown, parts: readonly string[]): boolean {
  if (typeof fn !== 'function') return false
  const source = Function.prototype.toString.call(fn)
  return parts.every(part => source.includes(part))
}
