import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

/** The service cannot start, and the message says all that is to say. */
export class StartError extends Error {}

/** An answer other than a good one, thrown from a handler. */
export class HttpError extends Error {
  readonly statusCode: number

  constructor (statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

export function isCoded (error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}

/** One line for what people can repair, the whole stack for what they cannot. */
export function describe (error: unknown): string {
  if (error instanceof StartError || (isCoded(error) && error.code.startsWith('FSV_ERR_'))) return error.message
  return error instanceof Error ? error.stack ?? error.message : String(error)
}

/** What PostgreSQL's SQLSTATE means to a client of this service. */
const databaseAnswers: Record<string, [statusCode: number, message: string]> = {
  23503: [404, 'No such organisation or project'],
  23505: [409, 'Exists already'],
  '57P01': [503, 'The database is shutting down'],
  ECONNREFUSED: [503, 'The database does not answer'],
  ENOENT: [503, 'The database does not answer'],
}

/** The service's error handler: clients learn what they did wrong, not what went wrong in here. */
export function answerError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [statusCode, message] = databaseAnswers[error.code] ?? [error.statusCode ?? 500, error.message]
  if (statusCode < 500) return reply.code(statusCode).send({ statusCode, message })

  request.log.error(error)
  return reply.code(statusCode).send({ statusCode, message: statusCode === 500 ? 'Something went wrong in the service' : message })
}
