import type { Configuration } from './configuration.ts'

interface Running {
  origin: string
  configuration: Configuration
  tokenFile: string
  measuring: boolean
}

/** What the terminal shows once the service runs. Every command and file in it works as it is. */
export function instructions ({ origin, configuration, tokenFile, measuring }: Running): string {
  const { databaseUrl, metricsPath, metricsToken, traffic } = configuration
  const database = databaseUrl === undefined ? 'its own PostgreSQL, which goes when it stops' : 'the database of DATABASE_URL'
  const running = `
The task service listens on ${origin} and uses ${database}.
${traffic ? 'It sends requests to itself (--traffic); the error in the log is one of them, made on purpose.' : 'It waits for requests: "npm start -- --traffic" sends it some.'}`

  if (!measuring) return `${running}\n\nIt measures nothing: METRICS_ENABLED is off.\n`

  return `${running}
${metricsToken.random ? `\nThe metrics token of this start (METRICS_AUTH_TOKEN sets one): ${metricsToken.value}\n` : ''}
See the metrics:

curl -H "Authorization: Bearer $(cat ${tokenFile})" "${origin}${metricsPath}"

Let Prometheus collect them, with this as prometheus.yml:

scrape_configs:
  - job_name: fastify-vitals-example
    scrape_interval: 5s
    metrics_path: ${metricsPath}
    authorization:
      type: Bearer
      credentials_file: ${tokenFile}
    static_configs:
      - targets: ['${new URL(origin).host}']

Ctrl-C stops everything.
`
}
