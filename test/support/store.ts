import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import vitals from '../../lib/index.ts'
import type { ExpositionFormat, ParsedExposition } from './exposition-grammar.ts'
import { parseExposition } from './exposition-grammar.ts'

export interface OpenStore {
  app: FastifyInstance
  vitals: FastifyInstance['vitals']
  /** The messages of every log line of level warn and above, in order. */
  warnings: string[]
  /** What a scrape shows now, judged by the strict parser. */
  scrape: (format?: ExpositionFormat) => Promise<ParsedExposition>
}

/** An application with the plugin and no endpoint: the store as its users reach it. */
export async function openStore (t: Test, options: Parameters<typeof vitals>[1] = {}): Promise<OpenStore> {
  const warnings: string[] = []
  const write = (line: string): void => {
    const entry = JSON.parse(line) as { msg: string }
    warnings.push(entry.msg)
  }
  const app = fastify({ logger: { level: 'warn', stream: { write } } })
  t.teardown(() => app.close())
  await app.register(vitals, { enabled: true, endpoint: false, ...options })
  await app.ready()
  const scrape = async (format: ExpositionFormat = 'prometheus') => parseExposition(await app.vitals.render({ format }), format)
  return { app, vitals: app.vitals, warnings, scrape }
}

/** Numbers in [0, 1) that are the same on every run with the same seed (mulberry32). */
export function seededRandom (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
