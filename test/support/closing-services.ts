import { setImmediate } from 'node:timers/promises'
import fastify from 'fastify'
import vitals from '../../lib/index.ts'
import type { OtlpOptions } from '../../lib/index.ts'

/** When to look: at an application that closed during its last push, or during another one, or between two pushes. */
export type Moment = 'last push' | 'push under way' | 'between pushes'

// Applications that push, one after the other. Of each it says what keeps the process alive then that did not before.
process.stdout.write('\n')
const before = process.getActiveResourcesInfo()

async function heldBy (otlp: OtlpOptions, moment: Moment): Promise<string[]> {
  const app = fastify()
  await app.register(vitals, { endpoint: false, otlp: { intervalMs: 3_600_000, timeoutMs: 60_000, closeTimeoutMs: 100, ...otlp } })
  await app.ready()
  const push = moment === 'last push' ? undefined : app.vitals.push()
  await (moment === 'between pushes' ? push : app.close())
  // A socket that was destroyed is closed some turns later.
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  const others = [...before]
  return process.getActiveResourcesInfo().filter(resource => {
    const at = others.indexOf(resource)
    if (at !== -1) others.splice(at, 1)
    return at === -1
  })
}

for (const [otlp, moment] of JSON.parse(process.argv[2]!) as [OtlpOptions, Moment][]) {
  process.stdout.write(`${JSON.stringify(await heldBy(otlp, moment))}\n`)
}
