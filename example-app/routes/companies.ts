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
    const answer = await fetch(`${companyRegister}/companies/${organization}`, { signal: AbortSignal.timeout(patienceMs) }).catch((error: unknown) => {
      log.warn(error, 'the company register does not answer')
      throw new HttpError(502, 'The company register does not answer')
    })
    if (answer.ok) return await answer.json()
    await answer.body?.cancel()
    throw answer.status === 404 ? new HttpError(404, 'No such company') : new HttpError(502, 'The company register has a problem')
  })
}
