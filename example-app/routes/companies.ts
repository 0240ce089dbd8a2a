import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import { HttpError } from '../errors.ts'
import { organizationParams, slug } from '../schemas.ts'
import type { OrganizationParams } from '../schemas.ts'

const patienceMs = 2_000

/** What another service knows of an organisation. The plugin sees the request that goes there (`outbound`). */
export async function companyRoutes (app: FastifyInstance, { companyRegister }: Services): Promise<void> {
  app.get<{ Params: OrganizationParams }>('/organizations/:organization/company', {
    schema: { params: organizationParams, response: { 200: { type: 'object', properties: { slug, employees: { type: 'integer' } } } } },
  }, async ({ params: { organization }, log }) => {
    const { status, company } = await ask(`${companyRegister}/companies/${organization}`).catch((error: unknown) => {
      log.warn(error, 'the company register does not answer')
      throw new HttpError(502, 'The company register does not answer')
    })
    if (company !== undefined) return company
    throw status === 404 ? new HttpError(404, 'No such company') : new HttpError(502, 'The company register has a problem')
  })
}

/** A whole answer within the time: the body may fail as well as the head. */
async function ask (url: string): Promise<{ status: number, company?: unknown }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(patienceMs) })
  const { status } = answer
  if (answer.ok) return { status, company: await answer.json() }
  await answer.body?.cancel()
  return { status }
}
