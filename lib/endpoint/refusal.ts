import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'

/** Answers with a status and nothing but its name; what was wrong in detail is nobody's business outside. */
export function refuse (reply: FastifyReply, status: number, headers: Record<string, string | string[]> = {}): FastifyReply {
  return reply.code(status)
    .headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers })
    .send(`${STATUS_CODES[status]}\n`)
}
