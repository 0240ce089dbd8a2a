import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { StartError } from './errors.ts'

export interface Configuration {
  /** `PORT`, 3000 by default; 0 takes a free one. */
  port: number
  /** `HOST`, 127.0.0.1 by default. */
  host: string
  /** `DATABASE_URL`. Without it the service starts a PostgreSQL of its own. */
  databaseUrl: string | undefined
  /** `REDIS_URL`, for limits and a cache that several processes share. Without it they are in memory. */
  redisUrl: string | undefined
  /** `COMPANY_REGISTER_URL`. Without it the service starts a register of its own. */
  companyRegisterUrl: string | undefined
  /** `METRICS_AUTH_TOKEN`. Without it every start makes a new one. */
  metricsToken: { value: string, random: boolean }
  /** `METRICS_PATH`, which the plugin reads too. */
  metricsPath: string
  /** `--traffic`: send requests to itself. */
  traffic: boolean
}

export function readConfiguration (args: string[], env: NodeJS.ProcessEnv): Configuration {
  return {
    port: readPort(env.PORT || '3000'),
    host: env.HOST || '127.0.0.1',
    databaseUrl: env.DATABASE_URL ? readDatabaseUrl(env.DATABASE_URL) : undefined,
    redisUrl: env.REDIS_URL ? readRedisUrl(env.REDIS_URL) : undefined,
    companyRegisterUrl: env.COMPANY_REGISTER_URL ? readOrigin(env.COMPANY_REGISTER_URL) : undefined,
    metricsToken: env.METRICS_AUTH_TOKEN
      ? { value: env.METRICS_AUTH_TOKEN, random: false }
      : { value: randomBytes(24).toString('base64url'), random: true },
    metricsPath: env.METRICS_PATH || '/v1/metrics',
    traffic: readArguments(args).traffic,
  }
}

function readPort (text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new StartError(`PORT must be a number from 0 to 65535, got: ${text}`)
}

function readDatabaseUrl (text: string): string {
  if (/^postgres(ql)?:/.test(text) && URL.canParse(text)) return text
  // Not what came: it may contain a password.
  throw new StartError('DATABASE_URL must look like postgresql://user:password@host:5432/database')
}

function readRedisUrl (text: string): string {
  if (/^rediss?:/.test(text) && URL.canParse(text)) return text
  throw new StartError('REDIS_URL must look like redis://user:password@host:6379/0')
}

function readOrigin (text: string): string {
  // `fetch` takes no credentials in a URL, and says them in its error.
  if (/^https?:\/\/[^@?#]+$/.test(text) && URL.canParse(text)) return text.replace(/\/$/, '')
  throw new StartError('COMPANY_REGISTER_URL must look like http://host:8080')
}

function readArguments (args: string[]): { traffic: boolean } {
  try {
    return parseArgs({ args, options: { traffic: { type: 'boolean', default: false } } }).values
  } catch {
    throw new StartError(`The only argument is --traffic (npm start -- --traffic), got: ${args.join(' ')}`)
  }
}
