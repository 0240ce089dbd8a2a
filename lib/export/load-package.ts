import { createRequire } from 'node:module'
import { VitalsError } from '../errors.ts'

/** Loads a package that is needed only for what was asked for, or says how to get it. */
export async function loadPackage (name: string, purpose: string): Promise<Record<string, unknown>> {
  try {
    return await import(name) as Record<string, unknown>
  } catch (error) {
    throw new VitalsError('FSV_ERR_MISSING_PACKAGE', `${purpose} needs the package ${name}, which could not be loaded: npm install ${name}`, { cause: error })
  }
}

/** What the last of some packages exports, each found from the one before: a dependency's own dependency. */
export function requireThrough (names: readonly string[]): Record<string, unknown> {
  let from = createRequire(import.meta.url)
  for (const name of names.slice(0, -1)) from = createRequire(from.resolve(name))
  return from(names.at(-1)!) as Record<string, unknown>
}
