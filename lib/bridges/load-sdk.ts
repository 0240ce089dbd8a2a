import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * OpenTelemetry's SDK for metrics, loaded when something first needs it and at once, since the API hands out meters without
 * waiting: a service without meters and without push goes without it.
 */
export function loadSdk (): typeof import('@opentelemetry/sdk-metrics') {
  return require('@opentelemetry/sdk-metrics') as typeof import('@opentelemetry/sdk-metrics')
}

/** The SDK's part that says who sends. */
export function loadResources (): typeof import('@opentelemetry/resources') {
  return require('@opentelemetry/resources') as typeof import('@opentelemetry/resources')
}
