import fastify from 'fastify'
import type { Test } from 'tap'
import vitals from '../../../../lib/index.ts'
import { parseSamples } from '../../../support/samples.ts'

/** Instruments a client, or hands it back as it is. */
export type Instrument = <C extends object>(client: C) => C

/** One page of a library's documentation: returns all that the application sees of it. */
export type Example = (instrument: Instrument, t: Test) => Promise<unknown[]>

/** Runs a page of a library's documentation bare and instrumented, compares what comes of it, and counts its statements. */
export async function compareExample (t: Test, title: string, expected: number, example: Example): Promise<void> {
  await t.test(title, async t => {
    const bare = await example(client => client, t)
    const app = fastify()
    await app.register(vitals, { enabled: true, endpoint: false })
    t.teardown(() => app.close())
    t.same(await example(client => app.vitals.instrument(client, { name: 'example' }), t), bare)
    t.not(bare.length, 0)
    const samples = parseSamples(await app.vitals.render()).filter(({ name, labels }) => name === 'db_queries_total' && labels['client'] === 'example')
    t.equal(samples.reduce((sum, { value }) => sum + value, 0), expected, 'statements')
  })
}

/** Rejects with what a callback is given, resolves with the rest of it. */
export function called (start: (callback: (error: Error | null | undefined, ...results: unknown[]) => void) => unknown): Promise<any[]> {
  return new Promise((resolve, reject) => { start((error, ...results) => error ? reject(error) : resolve(results)) })
}

/** What an application can tell of an error. */
export async function failureOf (run: Promise<unknown>): Promise<unknown[]> {
  const error = await run.then(() => { throw new Error('It did not fail') }, (error: Error) => error)
  return [error.constructor.name, error.name, error.message, Object.entries(error)]
}
