const DEFAULT_PORTS = { http: 80, https: 443 } as const

/** The scheme that each host is asked by, where it is always the same: what the labels leave out and OpenTelemetry wants. */
export class Schemes {
  readonly #known = new Map<string, 'http' | 'https' | undefined>()
  readonly #mostHosts: number

  /** More hosts than a metric has series are of no use. */
  constructor (mostHosts: number) {
    this.#mostHosts = mostHosts
  }

  /** Notes the protocol (`https:`) of a URL. */
  note (host: string, protocol: string): void {
    const scheme = protocol === 'https:' ? 'https' : 'http'
    const known = this.#known.get(host)
    if (known === undefined && !this.#known.has(host)) {
      if (this.#known.size < this.#mostHosts) this.#known.set(host, scheme)
    } else if (known !== scheme) this.#known.set(host, undefined)
  }

  of (host: string): 'http' | 'https' | undefined {
    return this.#known.get(host)
  }

  /** The port that a host has: its own, else that of its scheme. */
  portOf (host: string): number | undefined {
    const own = /:(\d+)$/.exec(host)
    if (own !== null) return Number(own[1])
    const scheme = this.of(host)
    return scheme === undefined ? undefined : DEFAULT_PORTS[scheme]
  }
}
