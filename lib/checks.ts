import type { VitalsErrorCode } from './errors.ts'
import { shown, VitalsError } from './errors.ts'

/** Where a value came from and how to complain about it: names the option, the expectation and the value. */
export class Check {
  readonly #code: VitalsErrorCode
  readonly #subject: string

  constructor (code: VitalsErrorCode, subject: string) {
    this.#code = code
    this.#subject = subject
  }

  fail (option: string, expected: string, got: string): never {
    throw new VitalsError(this.#code, `${this.#subject} ${option} must be ${expected}, got: ${got}`)
  }

  boolean (option: string, value: unknown): boolean {
    return typeof value === 'boolean' ? value : this.fail(option, 'true or false', shown(value))
  }

  /** A plain object with no other keys than the known ones. */
  object<K extends string> (option: string, value: unknown, known: readonly K[]): Partial<Record<K, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      // A string here may well be a secret that belongs one level down.
      return this.fail(option, `an object { ${known.join(', ')} }`, typeof value === 'string' ? 'a string' : shown(value))
    }
    for (const key of Object.keys(value)) {
      if (!(known as readonly string[]).includes(key)) this.fail(option, `an object with no other keys than ${known.join(', ')}`, `key ${shown(key)}`)
    }
    return value as Partial<Record<K, unknown>>
  }

  integer (option: string, value: unknown, least: number, most: number): number {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      return this.fail(option, `a whole number from ${least} to ${most}`, shown(value))
    }
    return value as number
  }

  /** One of a few words. */
  oneOf<K extends string> (option: string, value: unknown, words: readonly K[]): K {
    return (words as readonly unknown[]).includes(value) ? value as K : this.fail(option, `one of ${words.join(', ')}`, shown(value))
  }

  text (option: string, value: unknown): string {
    return typeof value === 'string' && value !== '' ? value : this.fail(option, 'a string that is not empty', shown(value))
  }

  /** Text that must not be repeated in an error. */
  secret (option: string, value: unknown): string {
    if (typeof value === 'string' && value !== '') return value
    return this.fail(option, 'a string that is not empty', value === '' ? 'an empty string' : typeof value)
  }

  /** An object of strings, whose keys are left to the caller to judge. */
  strings (option: string, value: unknown): Readonly<Record<string, string>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.fail(option, 'an object of strings', shown(value))
    for (const [key, entry] of Object.entries(value)) {
      if (typeof entry !== 'string') this.fail(`${option}.${key}`, 'a string', shown(entry))
    }
    return value as Readonly<Record<string, string>>
  }

  /** Bucket bounds: one or more finite numbers, ascending. */
  bounds (option: string, value: unknown): readonly number[] {
    if (!Array.isArray(value) || value.length === 0 || !value.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > value[i - 1]))) {
      return this.fail(option, 'an array of one or more finite numbers in ascending order', shown(value))
    }
    return Object.freeze([...value])
  }

  /** Label names: the exposition format's syntax, none used twice. */
  labelName (option: string, value: unknown): string {
    if (typeof value !== 'string' || !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(value) || value.startsWith('__') || value === 'le' || value === 'overflow') {
      return this.fail(option, 'a label name: letters, digits and underscores, no digit first, not beginning with __, not le or overflow', shown(value))
    }
    return value
  }
}
