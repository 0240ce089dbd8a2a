/**
 * Runs something whose timers of exactly `delayMs` keep no process alive, for libraries that hand theirs to nobody. Only timers that are
 * made before it returns, in the same turn: what it awaits makes its own as ever, and so does everybody else.
 */
export function releasingTimers<T> (delayMs: number, run: () => T): T {
  const original = globalThis.setTimeout
  /** Somebody may keep what is put there. */
  let isRunning = true
  const releasing = new Proxy(original, {
    apply (target, receiver, args) {
      // Applications put their own there, which need not be of Node's kind.
      const timer = Reflect.apply(target, receiver, args) as Partial<NodeJS.Timeout> | undefined
      if (isRunning && args[1] === delayMs) timer?.unref?.()
      return timer
    }
  })
  if (!Reflect.set(globalThis, 'setTimeout', releasing)) return run()
  try {
    return run()
  } finally {
    isRunning = false
    if (globalThis.setTimeout === releasing) globalThis.setTimeout = original
  }
}
