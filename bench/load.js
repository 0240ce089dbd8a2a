import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'

/**
 * Keep-alive connections that each ask, wait for the whole answer and ask again. Answers of one server all have the
 * same length (learnt from the first), so the client does next to nothing and leaves the processor to the server.
 */
export async function openLoad ({ port, connections, request }) {
  const payload = Buffer.from(request, 'latin1')
  const answerLength = await lengthOfAnswer(port, payload)
  let left = 0
  let latencies
  let open = 0
  let finished
  let failed

  const sockets = await Promise.all(Array.from({ length: connections }, () => opened(port)))
  for (const socket of sockets) {
    let received = 0
    let asked = 0
    const next = () => {
      if (left === 0) {
        if (--open === 0) finished()
        return
      }
      left--
      asked = latencies === undefined ? 0 : performance.now()
      socket.write(payload)
    }
    socket.on('data', (chunk) => {
      received += chunk.length
      if (received < answerLength) return
      if (received > answerLength) failed(new Error(`answer of ${received} bytes, expected ${answerLength}`))
      received = 0
      latencies?.push(performance.now() - asked)
      next()
    })
    socket.on('error', (error) => failed?.(error))
    socket.on('close', () => failed?.(new Error('the server closed a connection')))
    socket.next = next
  }

  return {
    /** Resolves when `requests` more have been answered; each one's milliseconds go into the list, where there is one. */
    run (requests, milliseconds) {
      return new Promise((resolve, reject) => {
        left = requests
        latencies = milliseconds
        open = sockets.length
        finished = resolve
        failed = reject
        for (const socket of sockets) socket.next()
      })
    },
    /** Asks for the last time; `run` resolves when that is answered. */
    stop () {
      left = 0
    },
    close () {
      failed = undefined
      for (const socket of sockets) socket.destroy()
    }
  }
}

function opened (port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

async function lengthOfAnswer (port, payload) {
  const socket = await opened(port)
  socket.write(payload)
  let text = ''
  for await (const chunk of socket) {
    text += chunk.toString('latin1')
    const end = text.indexOf('\r\n\r\n')
    const length = /\r\ncontent-length: (\d+)/i.exec(text)
    if (end < 0 || length === null) continue
    if (!text.startsWith('HTTP/1.1 200')) throw new Error(`the server answered: ${text.slice(0, 200)}`)
    if (text.length >= end + 4 + Number(length[1])) return end + 4 + Number(length[1])
  }
  throw new Error('no answer')
}
