import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import { organizationParams } from '../schemas.ts'
import type { OrganizationParams } from '../schemas.ts'
import { readAllTasks } from '../tasks.ts'

export async function taskExportRoutes (app: FastifyInstance, { database, metrics }: Services): Promise<void> {
  app.get<{ Params: OrganizationParams }>('/organizations/:organization/export', {
    schema: { params: organizationParams },
  }, async ({ params: { organization } }, reply) => {
    const exported = metrics.tasksExported.with({ organization })

    // One task per line (NDJSON). The client's pace decides when the next batch is read.
    async function * lines (): AsyncGenerator<string, void, undefined> {
      for await (const tasks of readAllTasks(database, organization)) {
        exported.inc(tasks.length)
        yield tasks.map((task) => `${JSON.stringify(task)}\n`).join('')
      }
    }
    return reply.type('application/x-ndjson').send(Readable.from(lines(), { objectMode: false }))
  })
}
