import type { FastifyInstance } from 'fastify'
import { parseSamples } from '../../support/samples.ts'

/** The operations of a cache as `operation status`, with how often. */
export async function countedOperations (app: FastifyInstance, name: string): Promise<Record<string, number>> {
  const samples = parseSamples(await app.vitals.render()).filter(({ name: metric, labels }) => metric === 'cache_operations_total' && labels['cache_type'] === name)
  return Object.fromEntries(samples.map(({ labels, value }) => [`${labels['operation']} ${labels['status']}`, value]))
}
