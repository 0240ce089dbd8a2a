import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { ServerProcess } from './server-process.ts'

/** A configuration by which Prometheus scrapes the service at a port each second. */
export function scraping (port: number): string {
  return `scrape_configs:
  - job_name: service
    scrape_interval: 1s
    scrape_timeout: 1s
    metrics_path: /v1/metrics
    static_configs:
      - targets: ['127.0.0.1:${port}']
`
}

/** A real Prometheus of the test's own, from Debian's package `prometheus`, with features that are off by default; resolves to its URL once it scrapes. */
export async function startPrometheus (t: Pick<Test, 'teardown'>, configuration: string, features: readonly string[] = []): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-prometheus-'))
  writeFileSync(join(folder, 'prometheus.yml'), configuration)
  const address = `127.0.0.1:${await freePort()}`
  const server = new ServerProcess({
    program: 'prometheus',
    args: [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${address}`, ...features.map(feature => `--enable-feature=${feature}`)],
    stream: 'stderr',
    ready: 'Server is ready to receive web requests',
    signal: 'SIGKILL'
  })
  t.teardown(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await server.start()
  return `http://${address}`
}

/** What a question to its interface is answered with. */
export async function askPrometheus (url: string, path: string, parameters: Record<string, string>): Promise<unknown> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  const { data, error } = await response.json() as { data?: unknown, error?: string }
  if (data === undefined) throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`)
  return data
}
