import { PassThrough } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import { organizationParams } from '../schemas.ts'
import type { OrganizationParams } from '../schemas.ts'

const heartbeatMs = 15_000

/** Server-sent events: what happens to an organisation's tasks, while it happens. */
export async function taskUpdateRoutes (app: FastifyInstance, { updates }: Services): Promise<void> {
  const watchers = new Set<PassThrough>()
  // Without this, closing would wait for streams that never end by themselves.
  app.addHook('preClose', async () => {
    for (const watcher of watchers) watcher.end()
  })

  app.get<{ Params: OrganizationParams }>('/organizations/:organization/updates', {
    schema: { params: organizationParams },
  }, async ({ params: { organization } }, reply) => {
    const watcher = new PassThrough()
    const send = (text: string): void => {
      // A client that does not read is let go, or its events would pile up here. EventSource connects again.
      if (!watcher.write(text)) watcher.destroy()
    }
    const unsubscribe = updates.subscribe(organization, ({ type, task }) => {
      send(`event: ${type}\nid: ${task.id}\ndata: ${JSON.stringify(task)}\n\n`)
    })
    const heartbeat = setInterval(() => send(':\n\n'), heartbeatMs)
    watchers.add(watcher)
    watcher.once('close', () => {
      unsubscribe()
      clearInterval(heartbeat)
      watchers.delete(watcher)
    })

    send('retry: 1000\n\n')
    return reply.header('cache-control', 'no-store').type('text/event-stream').send(watcher)
  })
}
