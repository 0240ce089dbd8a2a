import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { isLimiterPlugin } from './known-functions.ts'

/** A Fastify plugin as it is called. */
export type PluginFunction = (instance: FastifyInstance, options: Record<string, unknown>) => unknown

/** Puts something before a limiter that is about to be registered on an instance. */
export type OnRegistration = (original: PluginFunction) => PluginFunction

/** What loads a plugin, within Fastify: an object with the plugin and a method that calls it. */
interface Loader {
  func: PluginFunction
  exec: (server: FastifyInstance, callback: unknown) => unknown
}

const watchers = new Map<FastifyInstance, OnRegistration>()
const patched = new Map<Loader, Loader['exec']>()

/**
 * Calls back for every @fastify/rate-limit that is registered on an application from now on, however deep, those that
 * wait for their turn already included. Fastify tells nobody of plugins that it loads, so this stands in its loader's
 * way, from now until the application is ready; where the loader is not found, it says so with `false`.
 */
export async function watchRegistrations (app: FastifyInstance, root: FastifyInstance, onRegistration: OnRegistration): Promise<boolean> {
  let loader: Partial<Loader> | undefined
  // Options may be a function, which Fastify calls as a method of what loads the plugin.
  await app.register(fp(async () => {}, { name: 'fastify-vitals-loader' }), function (this: unknown) {
    loader = this as Loader | undefined
    return {}
  })
  if (typeof loader?.exec !== 'function' || typeof loader.func !== 'function') return false
  const prototype = Object.getPrototypeOf(loader) as Loader
  if (!patched.has(prototype)) stepIn(prototype)
  watchers.set(root, onRegistration)
  const stop = (): void => {
    watchers.delete(root)
    if (watchers.size === 0) stepOut()
  }
  app.addHook('onReady', async () => stop())
  app.addHook('onClose', async () => stop())
  return true
}

function stepIn (prototype: Loader): void {
  const { exec } = prototype
  patched.set(prototype, exec)
  prototype.exec = function (server, callback) {
    if (isLimiterPlugin(this.func)) {
      for (const [root, onRegistration] of watchers) {
        if (server === root || Object.prototype.isPrototypeOf.call(root, server)) this.func = onRegistration(this.func)
      }
    }
    return exec.call(this, server, callback)
  }
}

function stepOut (): void {
  for (const [prototype, exec] of patched) prototype.exec = exec
  patched.clear()
}
