import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The other service that this one calls, where `COMPANY_REGISTER_URL` names no other: it knows what companies there are. */
export class CompanyRegister {
  readonly #server = createServer((request, response) => {
    const slug = /^\/companies\/([a-z0-9-]+)$/.exec(request.url ?? '')?.[1]
    const isKnown = slug !== undefined && !slug.startsWith('no')
    response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(isKnown ? { slug, employees: slug.length * 100 } : { message: 'No such company' }))
  })

  /** Returns its origin. */
  async start (): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop (): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}
