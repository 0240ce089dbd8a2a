import fastify from 'fastify'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { Vitals } from '../../../lib/index.ts'

/** What nobody may ever read, within whatever it is used in. */
export const SECRET = 'hush-hush'

/** What to be afraid of around it: quotes, what breaks lines, markup of our own formats, what is no text. */
export const HOSTILE: readonly string[] = [SECRET, `'; ${SECRET} --`, `"${SECRET}"} 1\n`, `\u001b[31m${SECRET}\r\n`, `\${${SECRET}}%s%o`, `\ud800${SECRET}\udfff`, `__proto__ ${SECRET}`, SECRET.repeat(5_000)]

export interface Logged {
  readonly vitals: Vitals
  /** All that the logger got, by whatever method, and all that is shown; at most few series are kept, so that it is told of those that are not. */
  readonly said: () => Promise<string>
}

/** An application that keeps what it logs, down to the least of levels, with a client. */
export async function logged (t: Test, client: object): Promise<Logged> {
  let log = ''
  const app = fastify({ logger: { level: 'trace', stream: { write (line: string) { log += line } } } })
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false, limits: { seriesPerMetric: 3 } })
  app.vitals.instrument(client, { name: 'logged' })
  // Something to say of the client.
  app.vitals.instrument(client, { name: 'again' })
  await app.ready()
  return { vitals: app.vitals, said: async () => `${await app.vitals.render()}${log}` }
}
