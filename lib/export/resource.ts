import type { DetectedResourceAttributes, Resource, ResourceDetector } from '@opentelemetry/resources'
import { defaultResource, detectResources, envDetector, hostDetector, osDetector, processDetector, resourceFromAttributes, serviceInstanceIdDetector } from '@opentelemetry/resources'
import type { Attributes } from '../series/otlp-identity.ts'

/** The command line may hold secrets. */
const frugalProcessDetector: ResourceDetector = {
  detect () {
    const { attributes, ...rest } = processDetector.detect()
    const { 'process.command_args': _secret, 'process.command_line': _alsoSecret, ...harmless } = { ...attributes }
    return { ...rest, attributes: harmless }
  }
}

/** What npm and Node's own conventions say of the service; everything else wins over it. */
function conventionalAttributes (environment: Readonly<Record<string, string | undefined>>): Attributes {
  const { npm_package_name: name, npm_package_version: version, NODE_ENV: stage } = environment
  return {
    ...(name !== undefined && { 'service.name': name }),
    ...(version !== undefined && { 'service.version': version }),
    ...(stage !== undefined && stage !== '' && { 'deployment.environment.name': stage })
  }
}

/**
 * Who sends the metrics: what the standard detectors find (host and machine id, operating system, process, an id of this
 * instance), `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, and above all the given attributes.
 */
export async function createResource (given: Attributes, environment: Readonly<Record<string, string | undefined>>): Promise<Resource> {
  const detected = detectResources({ detectors: [hostDetector, osDetector, frugalProcessDetector, serviceInstanceIdDetector, envDetector] })
  await detected.waitForAsyncAttributes?.()
  return defaultResource()
    .merge(resourceFromAttributes(conventionalAttributes(environment) as DetectedResourceAttributes))
    .merge(detected)
    .merge(resourceFromAttributes(given as DetectedResourceAttributes))
}
