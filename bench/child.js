import { fork } from 'node:child_process'
import { once } from 'node:events'

/** A process running `file`; `ask` sends it a message and gives its answer. `options` are those of `fork()`. */
export async function startChild (file, args, options = {}) {
  const child = fork(new URL(file, import.meta.url), args, options)
  const ready = await answer(child)
  return {
    ready,
    ask (message) {
      child.send(message)
      return answer(child)
    },
    stop () {
      child.kill()
    }
  }
}

async function answer (child) {
  const ended = new AbortController()
  const message = once(child, 'message', { signal: ended.signal })
  const exit = once(child, 'exit', { signal: ended.signal })
  try {
    const [value] = await Promise.race([
      message,
      exit.then(([code]) => { throw new Error(`a measured process ended with ${code}`) })
    ])
    return value.result
  } finally {
    ended.abort()
    message.catch(() => {})
    exit.catch(() => {})
  }
}
