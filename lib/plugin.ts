import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Exposition } from './export/exposition.ts'
import type { VitalsOptions } from './options.ts'
import { attachRecorder } from './record/attach.ts'
import { Recorder } from './record/recorder.ts'
import { resolveOptions } from './resolve-options.ts'
import { Registry } from './series/registry.ts'
import { Vitals } from './vitals.ts'

async function plugin (app: FastifyInstance, given: VitalsOptions): Promise<void> {
  const options = resolveOptions(given, process.env)
  const warn = (message: string): void => app.log.warn(`fastify-vitals: ${message}`)
  const registry = options.registry ?? new Registry({ limits: options.limits, constantLabels: options.constantLabels, recording: options.enabled })
  const exposition = new Exposition(registry)
  if (options.enabled) {
    registry.onWarning(warn)
    attachRecorder(app, new Recorder(registry, options, warn))
  }
  app.decorate('vitals', new Vitals(options.enabled, registry, exposition))
}

/** The Fastify plugin: `app.register(vitals, { auth: { bearer: token } })`. */
export const vitals = fp(plugin, { name: 'fastify-vitals', fastify: '5.x' })
