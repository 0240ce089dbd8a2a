import net from 'node:net'
import tls from 'node:tls'
import { once } from 'node:events'

export interface Target {
  port: number
  host?: string
  secure?: boolean
  /** With TLS: the protocol to ask for. */
  alpn?: string
}

/** A client that writes the bytes it is given. It repairs nothing, and can leave in every way a socket allows. */
export class RawClient {
  readonly socket: net.Socket
  /** Resolves when the connection is gone, however it went. */
  readonly closed: Promise<unknown>
  #text = ''

  constructor (socket: net.Socket) {
    this.socket = socket
    this.closed = new Promise(resolve => socket.once('close', resolve))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => { this.#text += chunk })
    socket.on('error', () => {})
  }

  static async connect ({ port, host = '127.0.0.1', secure = false, alpn }: Target): Promise<RawClient> {
    const socket = secure
      ? tls.connect({ port, host, rejectUnauthorized: false, ...(alpn && { ALPNProtocols: [alpn] }) })
      : net.connect({ port, host, allowHalfOpen: true, noDelay: true })
    const client = new RawClient(socket)
    await once(socket, secure ? 'secureConnect' : 'connect')
    return client
  }

  /** All that came so far, one character per byte. */
  get text (): string {
    return this.#text
  }

  write (bytes: string): this {
    this.socket.write(bytes, 'latin1')
    return this
  }

  /** Resolves with all that came, once it holds `part` as often as asked. */
  async until (part: string, times = 1): Promise<string> {
    while (this.#text.split(part).length <= times) {
      if (this.socket.readableEnded || this.socket.destroyed) throw new Error(`closed before ${JSON.stringify(part)}: ${this.#text}`)
      await Promise.race([once(this.socket, 'data').catch(() => {}), once(this.socket, 'end').catch(() => {}), this.closed])
    }
    return this.#text
  }

  /** Resolves with all that came, once the server has nothing more to say. */
  async untilEnd (): Promise<string> {
    if (!this.socket.readableEnded && !this.socket.destroyed) {
      await Promise.race([once(this.socket, 'end').catch(() => {}), this.closed])
    }
    this.socket.destroy()
    await this.closed
    return this.#text
  }

  /** Half-close: nothing more will be sent (FIN), answers are still welcome. */
  halfClose (): void {
    this.socket.end()
  }

  /** Leave with FIN, reading no more. */
  leave (): Promise<unknown> {
    this.socket.destroy()
    return this.closed
  }

  /** Leave with RST. */
  reset (): Promise<unknown> {
    this.socket.resetAndDestroy()
    return this.closed
  }
}

/** What stands behind the head of the first answer in `text`. */
export function bodyOf (text: string): string {
  const start = text.indexOf('\r\n\r\n')
  return start === -1 ? '' : text.slice(start + 4)
}
