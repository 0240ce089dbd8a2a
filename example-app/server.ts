import { buildApp } from './app.ts'
import { CompanyRegister } from './company-register.ts'
import { readConfiguration } from './configuration.ts'
import { connectDatabase } from './database.ts'
import { EmbeddedPostgres } from './embedded-postgres.ts'
import { instructions } from './instructions.ts'
import { Lifetime } from './lifetime.ts'
import { close, listen } from './listening.ts'
import { writeTokenFile } from './metrics-token.ts'
import { TrafficThread } from './traffic-thread.ts'

/** The whole life of the service, step by step. Resolves when it has stopped and everything it started is gone. */
export function serve (): Promise<void> {
  return new Lifetime().run(start)
}

async function start (lifetime: Lifetime): Promise<void> {
  const configuration = readConfiguration(process.argv.slice(2), process.env)
  const { metricsToken } = configuration

  let { databaseUrl } = configuration
  if (databaseUrl === undefined) {
    const postgres = lifetime.keep(new EmbeddedPostgres(), (postgres) => postgres.stop())
    postgres.onFailure = (error) => lifetime.fail(error)
    databaseUrl = await postgres.start(lifetime.stopping)
  }
  const database = lifetime.keep(await connectDatabase(databaseUrl), (database) => database.end())

  const companyRegister = configuration.companyRegisterUrl ?? await lifetime.keep(new CompanyRegister(), (register) => register.stop()).start()
  const app = lifetime.keep(await buildApp({ database, metricsToken: metricsToken.value, redisUrl: configuration.redisUrl, companyRegister }), (app) => close(app, lifetime.hurrying))
  const origin = await listen(app, configuration)

  if (configuration.traffic) {
    const traffic = lifetime.keep(new TrafficThread(origin), (traffic) => traffic.stop())
    await traffic.start()
  }
  const tokenFile = await writeTokenFile(metricsToken.value)
  console.log(instructions({ origin, configuration, tokenFile, measuring: app.vitals.enabled }))
}
