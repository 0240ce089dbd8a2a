import type { Vitals } from 'fastify-vitals'
import type { Database } from './database.ts'
import { statuses } from './database.ts'

export type BusinessMetrics = ReturnType<typeof defineBusinessMetrics>

/** What this service counts itself. HTTP requests and the like need no code: the plugin sees them. */
export function defineBusinessMetrics (vitals: Vitals) {
  return {
    organizationsCreated: vitals.counter({
      name: 'organizations_created_total',
      help: 'Organisations created.',
    }),
    projectsCreated: vitals.counter({
      name: 'projects_created_total',
      help: 'Projects created.',
      labels: ['organization'],
    }),
    tasksCreated: vitals.counter({
      name: 'tasks_created_total',
      help: 'Tasks created.',
      labels: ['organization'],
    }),
    tasksCompleted: vitals.counter({
      name: 'tasks_completed_total',
      help: 'Tasks that became done.',
      labels: ['organization'],
    }),
    tasksExported: vitals.counter({
      name: 'tasks_exported_total',
      help: 'Tasks written into exports.',
      labels: ['organization'],
    }),
    taskCompletion: vitals.histogram({
      name: 'task_completion_seconds',
      help: 'Time from the creation of a task until it became done.',
      labels: ['organization'],
      // From a script to a quarter of a year.
      buckets: [0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 7_776_000],
    }),
    tasks: vitals.gauge({
      name: 'tasks',
      help: 'Tasks in the database now.',
      labels: ['status'],
    }),
  }
}

/**
 * Sets the gauge of tasks from the database, which other services write to as well. Called now and then and not by
 * a scrape: a scrape should never wait for a query.
 */
export async function countTasks (database: Database, tasks: BusinessMetrics['tasks']): Promise<void> {
  const { rows } = await database.query<{ status: string, count: number }>(
    'select status, count(*)::int as count from tasks group by status'
  )
  const counts = new Map(rows.map(({ status, count }) => [status, count]))
  for (const status of statuses) tasks.set({ status }, counts.get(status) ?? 0)
}
