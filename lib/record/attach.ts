import type { FastifyInstance } from 'fastify'
import { VitalsError } from '../errors.ts'
import { isWatched, unwatchHttp1, watchHttp1 } from './http1.ts'
import { watchHttp2 } from './http2.ts'
import { addLifecycleHooks } from './lifecycle.ts'
import { watchMalformed } from './malformed.ts'
import type { Recorder } from './recorder.ts'

/** Connects a recorder to a Fastify application: its server's events and its hooks. */
export function attachRecorder (app: FastifyInstance, recorder: Recorder): void {
  const { server } = app
  if (isWatched(server)) {
    throw new VitalsError('FSV_ERR_ALREADY_REGISTERED', 'fastify-vitals must be registered once for each Fastify application, got a second registration: its requests would be counted twice. Register it once, at the root')
  }
  watchHttp1(server, recorder)
  const stopHttp2 = app.initialConfig.http2 === true ? watchHttp2(server as never, recorder) : undefined
  const stopMalformed = watchMalformed(server, (status, reason) => recorder.malformed(status, reason))

  addLifecycleHooks(app, {
    onRequest: (request, reply, done) => {
      recorder.arrive(request, reply)
      done()
    },
    onError: (_request, reply, error, done) => {
      recorder.failed(reply, error)
      done()
    },
    onResponse: (request, reply, done) => {
      recorder.arrive(request, reply)
      done()
    }
  })
  app.addHook('onRoute', route => recorder.routes.check(route as never))

  const detach = (): void => {
    unwatchHttp1(server)
    stopHttp2?.()
    stopMalformed()
  }
  // Requests may be under way while the application closes: they are counted until the server has closed.
  app.addHook('onClose', (_instance, done) => {
    if (server.listening) server.once('close', detach)
    else detach()
    done()
  })
}
