import type { FastifyInstance } from 'fastify'
import type { Services } from '../app.ts'
import type { Status } from '../database.ts'
import { HttpError } from '../errors.ts'
import { projectParams, status, task, taskParams, title } from '../schemas.ts'
import type { ProjectParams, TaskParams } from '../schemas.ts'
import { changeTask, createTask, deleteTask, findTask, listTasks } from '../tasks.ts'
import type { TaskPage } from '../tasks.ts'

const collection = '/organizations/:organization/projects/:project/tasks'
const noSuchTask = (): HttpError => new HttpError(404, 'No such task')

export async function taskRoutes (app: FastifyInstance, { database, metrics, updates }: Services): Promise<void> {
  app.post<{ Params: ProjectParams, Body: { title: string } }>(collection, {
    schema: {
      params: projectParams,
      body: { type: 'object', required: ['title'], additionalProperties: false, properties: { title } },
      response: { 201: task },
    },
  }, async ({ params: { organization, project }, body }, reply) => {
    const created = await createTask(database, organization, project, body.title)
    metrics.tasksCreated.inc({ organization })
    updates.publish('created', created)
    return reply.code(201).send(created)
  })

  app.get<{ Params: ProjectParams, Querystring: TaskPage }>(collection, {
    schema: {
      params: projectParams,
      querystring: {
        type: 'object',
        properties: {
          status,
          after: { type: 'integer', minimum: 0, default: 0 },
          limit: { type: 'integer', minimum: 1, maximum: 100, default: 50 },
        },
      },
      response: { 200: { type: 'array', items: task } },
    },
  }, async ({ params: { organization, project }, query }) => listTasks(database, organization, project, query))

  app.get<{ Params: TaskParams }>(`${collection}/:task`, {
    schema: { params: taskParams, response: { 200: task } },
  }, async ({ params: { organization, project, task: id } }) => {
    const found = await findTask(database, organization, project, id)
    if (found === undefined) throw noSuchTask()
    return found
  })

  app.patch<{ Params: TaskParams, Body: { title?: string, status?: Status } }>(`${collection}/:task`, {
    schema: {
      params: taskParams,
      body: { type: 'object', minProperties: 1, additionalProperties: false, properties: { title, status } },
      response: { 200: task },
    },
  }, async ({ params: { organization, project, task: id }, body }) => {
    const changed = await changeTask(database, organization, project, id, body)
    if (changed === undefined) throw noSuchTask()
    if (changed.completedAfterSeconds !== null) {
      metrics.tasksCompleted.inc({ organization })
      metrics.taskCompletion.observe({ organization }, changed.completedAfterSeconds)
    }
    updates.publish('changed', changed.task)
    return changed.task
  })

  app.delete<{ Params: TaskParams }>(`${collection}/:task`, {
    schema: { params: taskParams },
  }, async ({ params: { organization, project, task: id } }, reply) => {
    const deleted = await deleteTask(database, organization, project, id)
    if (deleted === undefined) throw noSuchTask()
    updates.publish('deleted', deleted)
    return reply.code(204).send()
  })
}
