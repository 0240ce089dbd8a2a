import { Socket } from 'node:net'

/** How often it is looked whether anything else keeps the process alive, in ms. */
const LOOK_MS = 200

/** What Node lists of a connection that is being made and of bytes that are not taken yet: it cannot let go of either. */
const HOLDING: ReadonlySet<string> = new Set(['ConnectWrap', 'SimpleWriteWrap'])

/** How to give up each exchange that is under way, and whether its socket holds the process too. */
const underWay = new Map<() => void, { readonly isReferenced: boolean }>()
let timer: NodeJS.Timeout | undefined

/**
 * Gives an exchange up once only connections that are being made and bytes that are not taken keep the process alive. Call what it returns when it is
 * over. A push that is waited for has a timer that holds the process, and is left alone. What native addons keep alive Node does not list: such a
 * process may give a push up early, which the next makes up for.
 */
export function yieldPush (giveUp: () => void, { isReferenced = false } = {}): () => void {
  underWay.set(giveUp, { isReferenced })
  timer ??= setInterval(look, LOOK_MS).unref()
  return () => {
    underWay.delete(giveUp)
    if (underWay.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

function look (): void {
  const resources = process.getActiveResourcesInfo()
  const others = resources.filter(resource => !HOLDING.has(resource))
  if (others.length === resources.length) return
  const sockets = others.filter(resource => resource === 'TCPSocketWrap').length
  const ownSockets = [...underWay.values()].filter(({ isReferenced }) => isReferenced).length
  if (sockets > ownSockets || (others.length > sockets && !areStandardStreams(others.filter(resource => resource !== 'TCPSocketWrap')))) return
  for (const giveUp of underWay.keys()) giveUp()
}

/** Whether there is only what the process writes to, which is listed even though it keeps nothing alive. */
function areStandardStreams (resources: string[]): boolean {
  if (!resources.every(resource => resource === 'PipeWrap' || resource === 'TTYWrap')) return false
  return resources.length <= [process.stdout, process.stderr].filter(stream => stream instanceof Socket).length
}
