import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import { HttpError } from '../errors.ts'
import type { Organization } from '../organization-cache.ts'
import { named, namedAnswer, organizationParams } from '../schemas.ts'
import type { Named, OrganizationParams } from '../schemas.ts'

const columns = 'slug, name, created_at as "createdAt"'

export async function organizationRoutes (app: FastifyInstance, { database, metrics, organizations }: Services): Promise<void> {
  app.post<{ Body: Named }>('/organizations', {
    schema: { body: named, response: { 201: namedAnswer } },
  }, async ({ body }, reply) => {
    const { rows } = await database.query(
      `insert into organizations (slug, name) values ($1, $2) returning ${columns}`,
      [body.slug, body.name]
    )
    metrics.organizationsCreated.inc()
    return reply.code(201).send(rows[0])
  })

  app.get('/organizations', {
    schema: { response: { 200: { type: 'array', items: namedAnswer } } },
  }, async () => {
    const { rows } = await database.query(`select ${columns} from organizations order by slug`)
    return rows
  })

  app.get<{ Params: OrganizationParams }>('/organizations/:organization', {
    schema: { params: organizationParams, response: { 200: namedAnswer } },
  }, async ({ params }) => {
    const kept = await organizations.get(params.organization)
    if (kept !== undefined) return kept
    const { rows } = await database.query<Organization>(`select ${columns} from organizations where slug = $1`, [params.organization])
    if (rows.length === 0) throw new HttpError(404, 'No such organisation')
    await organizations.set(rows[0]!)
    return rows[0]
  })

  app.delete<{ Params: OrganizationParams }>('/organizations/:organization', {
    schema: { params: organizationParams },
  }, async ({ params }, reply) => {
    const { rowCount } = await database.query('delete from organizations where slug = $1', [params.organization])
    await organizations.delete(params.organization)
    if (rowCount === 0) throw new HttpError(404, 'No such organisation')
    return reply.code(204).send()
  })
}
