import fastify from 'fastify'
import type { Test } from 'tap'
import vitals from '../../../lib/index.ts'
import type { Vitals } from '../../../lib/index.ts'

/** What is recorded of a client. */
export interface Readers {
  readonly vitals: Vitals
  count (operation: string, table?: string, status?: string): number
  errors (operation: string, errorType: string): number
  transactions (status: string): number
  /** A metric of the client as a whole. */
  read (metric: string): unknown
}

/** Instruments a client in an application of the test's own. */
export async function instrumented (t: Test, client: object, system: string): Promise<Readers> {
  const app = fastify()
  await app.register(vitals, { enabled: true, endpoint: false })
  app.vitals.instrument(client, { name: 'forms' })
  t.teardown(() => app.close())
  const read = (metric: string, labels: Record<string, string> = {}): unknown => app.vitals.read(metric, { system, client: 'forms', ...labels })
  return {
    vitals: app.vitals,
    count: (operation, table = 'other', status = 'success') => read('db_queries_total', { operation, table, status }) as number ?? 0,
    errors: (operation, errorType) => read('db_query_errors_total', { operation, error_type: errorType }) as number ?? 0,
    transactions: status => read('db_transactions_total', { status }) as number ?? 0,
    read
  }
}
