import { setTimeout as delay } from 'node:timers/promises'

const organizations = ['acme', 'globex', 'initech']
const projects = ['website', 'warehouse']
const roundEveryMs = 1_000

/** A handful of users who do a bit of everything, so that every metric of the service moves. */
export class Traffic {
  readonly #origin: string
  readonly #stop = new AbortController()
  #rounds: Promise<void> = Promise.resolve()
  #round = 0

  constructor (origin: string) {
    this.#origin = origin
  }

  /** Resolves after the first round. The others follow until `stop()`. */
  async start (): Promise<void> {
    for (const organization of organizations) {
      await this.#send('POST', '/organizations', { slug: organization, name: `The ${organization} company` })
      for (const project of projects) await this.#beginProject(organization, project)
    }
    this.#rounds = this.#watch()
    await this.#workDay()
    this.#rounds = Promise.all([this.#rounds, this.#keepWorking()]).then(() => {})
  }

  async stop (): Promise<void> {
    this.#stop.abort()
    await this.#rounds
  }

  async #keepWorking (): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#workDay()
      await delay(roundEveryMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
  }

  /** One round: somebody creates, looks at, moves, completes, deletes and exports tasks, and makes mistakes. */
  async #workDay (): Promise<void> {
    const round = this.#round++
    const organization = organizations[round % organizations.length]!
    const project = projects[round % projects.length]!
    const tasks = `/organizations/${organization}/projects/${project}/tasks`

    const created = await Promise.all(['write', 'review', 'ship'].map((verb) => this.#send('POST', tasks, { title: `${verb} release ${round}` })))
    const [first, second, third] = created.map((task) => `${tasks}/${(task as { id?: number } | undefined)?.id}`) as [string, string, string]
    await this.#send('PATCH', first, { status: 'doing' })
    await this.#send('PATCH', first, { status: 'done' })
    await this.#send('PATCH', second, { status: 'doing' })
    if (round % 2 === 0) await this.#send('DELETE', third)

    await this.#send('GET', `${tasks}?status=todo&limit=20`)
    await this.#send('GET', first)
    await this.#send('GET', '/health')
    // The second look comes out of the cache.
    for (let look = 0; look < 2; look++) await this.#send('GET', `/organizations/${organization}`)
    await this.#send('GET', `/organizations/${organization}/company`)
    if (round % 10 === 0) await this.#send('GET', '/organizations/nobody/company')
    await this.#send('POST', tasks, { title: '' })
    await this.#send('GET', `/nothing/here/${round}`)
    await this.#send('GET', `/organizations/${organization}/search?text=release`)
    // Somebody tries passwords, and is refused soon.
    for (const password of ['letmein', '123456', 'demo']) await this.#send('POST', '/login', { user: 'ann', password })
    if (round % 5 === 0) {
      await this.#send('GET', `/organizations/${organization}/export`)
      await this.#send('GET', '/slow?seconds=0.3')
    }
    if (round % 25 === 0) await this.#send('GET', '/failing')
    if (round % 25 === 24) {
      // A project is over and goes with its tasks, or the database would grow and grow.
      await this.#send('DELETE', `/organizations/${organization}/projects/${project}`)
      await this.#beginProject(organization, project)
    }
  }

  async #beginProject (organization: string, project: string): Promise<void> {
    await this.#send('POST', `/organizations/${organization}/projects`, { slug: project, name: `Our ${project}` })
  }

  /** Somebody has the page with the live updates open. */
  async #watch (): Promise<void> {
    try {
      const response = await fetch(`${this.#origin}/organizations/${organizations[0]}/updates`, { signal: this.#stop.signal })
      await response.body?.pipeTo(new WritableStream())
    } catch { /* As below. */ }
  }

  async #send (method: string, path: string, body?: unknown): Promise<unknown> {
    try {
      const response = await fetch(`${this.#origin}${path}`, {
        method,
        signal: this.#stop.signal,
        ...body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      })
      const text = await response.text()
      return response.headers.get('content-type')?.startsWith('application/json') === true ? JSON.parse(text) : undefined
    } catch {
      // The service stops or does not answer: users come again.
      return undefined
    }
  }
}
