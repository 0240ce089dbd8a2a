import type { EventEmitter } from 'node:events'
import type { Http2Server } from 'node:http2'
import type { FastifyInstance } from 'fastify'
import { symbolOf } from '../contexts.ts'
import { watchHttp1 } from './http1.ts'
import { watchHttp2 } from './http2.ts'
import { addLifecycleHooks } from './lifecycle.ts'
import type { OnMalformed } from './malformed.ts'
import { watchMalformed, watchMalformedConnections } from './malformed.ts'
import type { Recorder } from './recorder.ts'

/** Connects a recorder to a Fastify application: its server's events and its hooks. */
export function attachRecorder (app: FastifyInstance, recorder: Recorder): void {
  const { server } = app
  const onMalformed: OnMalformed = failure => recorder.malformed(failure)
  const watch = (each: EventEmitter): (() => void)[] => {
    const stops = [watchHttp1(each, recorder)]
    if (app.initialConfig.http2 === true) stops.push(watchHttp2(each as Http2Server, recorder))
    return stops
  }
  const stops = [watchMalformed(server, onMalformed), ...watch(server)]

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
      const otherStops = watch(other)
      other.once('close', () => { for (const stop of otherStops) stop() })
      watchMalformedConnections(other, onMalformed)
    }
    done()
  })

  // Fastify gets here once the requests under way have ended.
  app.addHook('onClose', (_instance, done) => {
    for (const stop of stops) stop()
    done()
  })
}
