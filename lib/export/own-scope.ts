import { createRequire } from 'node:module'
import type { Scope } from '../series/otlp-identity.ts'

const { name, version } = createRequire(import.meta.url)('../../package.json') as { name: string, version: string }

/** The instrumentation scope of what this package records. */
export const OWN_SCOPE: Scope = Object.freeze({ name, version })
