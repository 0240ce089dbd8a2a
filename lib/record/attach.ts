import type { EventEmitter } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { watchHttp1 } from './http1.ts'
import { watchHttp2 } from './http2.ts'
import { addLifecycleHooks, symbolOf } from './lifecycle.ts'
import type { OnMalformed } from './malformed.ts'
import { watchMalformed, watchMalformedConnections } from './malformed.ts'
import type { Recorder } from './recorder.ts'

/** Connects a recorder to a Fastify application: its server's events and its hooks. */
export function attachRecorder (app: FastifyInstance, recorder: Recorder): void {
  const { server } = app
  const onMalformed: OnMalformed = failure => recorder.malformed(failure)
  const isHttp2 = app.initialConfig.http2 === true
  const stops = [watchHttp1(server, recorder), watchMalformed(server, onMalformed)]
  if (isHttp2) stops.push(watchHttp2(server as never, recorder))

  addLifecycleHooks(app, {
    onRequest: (request, reply, done) => {
      recorder.arrive(request, reply)
      done()
    },
    onError: (_request, reply, error, done) => {
      recorder.failed(reply, error)
      done()
    },
    onSend: (request, reply, payload, done) => {
      recorder.arrive(request, reply)
      done(null, payload)
    }
  })
  app.addHook('onRoute', route => recorder.routes.check(route as never))

  // Listening on `localhost` makes Fastify open a second server for the other address, which only its own list knows.
  app.addHook('onListen', done => {
    const kServerBindings = symbolOf(app, 'fastify.serverBindings')
    const others = kServerBindings === undefined ? [] : (app as unknown as Record<symbol, EventEmitter[]>)[kServerBindings]!
    for (const other of others) {
      stops.push(watchHttp1(other, recorder))
      watchMalformedConnections(other, onMalformed)
      if (isHttp2) watchHttp2(other as never, recorder)
    }
    done()
  })

  const detach = (): void => {
    for (const stop of stops.splice(0)) stop()
  }
  // Requests may be under way while the application closes: they are counted until the server has closed.
  app.addHook('onClose', (_instance, done) => {
    if (server.listening) server.once('close', detach)
    else detach()
    done()
  })
}
