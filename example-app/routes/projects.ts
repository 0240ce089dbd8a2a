import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import { HttpError } from '../errors.ts'
import { named, namedAnswer, organizationParams, projectParams } from '../schemas.ts'
import type { Named, OrganizationParams, ProjectParams } from '../schemas.ts'

const columns = 'slug, name, created_at as "createdAt"'

export async function projectRoutes (app: FastifyInstance, { database, metrics }: Services): Promise<void> {
  app.post<{ Params: OrganizationParams, Body: Named }>('/organizations/:organization/projects', {
    schema: { params: organizationParams, body: named, response: { 201: namedAnswer } },
  }, async ({ params: { organization }, body }, reply) => {
    const { rows } = await database.query(
      `insert into projects (organization, slug, name) values ($1, $2, $3) returning ${columns}`,
      [organization, body.slug, body.name]
    )
    metrics.projectsCreated.inc({ organization })
    return reply.code(201).send(rows[0])
  })

  app.get<{ Params: OrganizationParams }>('/organizations/:organization/projects', {
    schema: { params: organizationParams, response: { 200: { type: 'array', items: namedAnswer } } },
  }, async ({ params: { organization } }) => {
    const { rows } = await database.query(`select ${columns} from projects where organization = $1 order by slug`, [organization])
    return rows
  })

  app.delete<{ Params: ProjectParams }>('/organizations/:organization/projects/:project', {
    schema: { params: projectParams },
  }, async ({ params: { organization, project } }, reply) => {
    const { rowCount } = await database.query('delete from projects where organization = $1 and slug = $2', [organization, project])
    if (rowCount === 0) throw new HttpError(404, 'No such project')
    return reply.code(204).send()
  })
}
