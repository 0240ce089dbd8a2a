import type { PushTarget, ResolvedOtlp } from './otlp-options.ts'

/** Where pushes go, for people: without credentials or query. */
export function describeTarget (target: PushTarget, { url }: Pick<ResolvedOtlp, 'url'>): string {
  if (target === 'console') return 'the console'
  const { origin, pathname } = new URL(url)
  return origin + (pathname === '/' ? '' : pathname)
}
