import { errorTypeOf } from '../error-type.ts'

/** The `error.type` of a failed request: the error's code, else its name (DOM exceptions have numbers for codes), else `other`. */
export function toErrorType (error: unknown): string {
  return errorTypeOf(error instanceof DOMException ? { name: error.name } : error)
}
