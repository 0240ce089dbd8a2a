/** What a label value may be; it is stored as its string. */
export type LabelValue = string | number | boolean | bigint

/** One value for each label name of a metric. */
export type Labels<L extends string> = Readonly<Record<L, LabelValue>>

/** Whether the first argument of a record is a label set, or the value of a metric without labels. */
export function isLabels<T extends object> (first: T | number | undefined): first is T {
  return typeof first === 'object' && first !== null
}

/** Longest label value that is stored, in UTF-16 units; the rest is cut, so that no value can fill the memory. */
export const LONGEST_LABEL_VALUE = 1_024

const NEEDS_CARE = /[^ !#-[\]-~]/
const ESCAPED = /["\\\n]/g

/** The exposition format's escapes for a label value: `\\`, `\"` and `\n`. */
function escapeCharacter (character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`
}

/** A value escaped for a label of the exposition format; unpaired surrogates become U+FFFD, as UTF-8 has none. */
export function escapeLabelValue (value: string): string {
  return NEEDS_CARE.test(value) ? value.toWellFormed().replace(ESCAPED, escapeCharacter) : value
}

/**
 * `a="x",b="y"`: how the exposition writes a label set. Escaping is injective, so the text is also the identity of
 * a series: no two label sets collide on a separator.
 */
export function labelText (names: readonly string[], values: readonly string[]): string {
  let text = ''
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? '' : ','}${names[i]!}="${escapeLabelValue(values[i]!)}"`
  }
  return text
}

const LABEL_PAIR = /([^=,]+)="((?:[^"\\]|\\.)*)"/g
const ESCAPE_SEQUENCE = /\\(.)/g

/** The names and values that a label text was made from. */
export function parseLabelText (text: string): { names: string[], values: string[] } {
  const names: string[] = []
  const values: string[] = []
  for (const [, name, value] of text.matchAll(LABEL_PAIR)) {
    names.push(name!)
    values.push(value!.replace(ESCAPE_SEQUENCE, (_, character: string) => character === 'n' ? '\n' : character))
  }
  return { names, values }
}

/** Why a given label value could not be stored as it came; `undefined` where it could. */
export type LabelFault = 'missing' | 'another thing' | `cut after ${typeof LONGEST_LABEL_VALUE} characters`

/** The stored form of a label value that is not a plain short string, and what was wrong with it. */
export function toLabelValue (value: unknown): { value: string, fault?: LabelFault } {
  switch (typeof value) {
    case 'string':
      return value.length <= LONGEST_LABEL_VALUE
        ? { value }
        : { value: value.slice(0, LONGEST_LABEL_VALUE), fault: `cut after ${LONGEST_LABEL_VALUE} characters` }
    case 'number':
    case 'boolean':
    case 'bigint':
      return { value: String(value) }
    case 'undefined':
      return { value: '', fault: 'missing' }
    default:
      return { value: '', fault: value === null ? 'missing' : 'another thing' }
  }
}
