import Cursor from 'pg-cursor'
import type { Database, Status } from './database.ts'

export interface Task {
  id: number
  organization: string
  project: string
  title: string
  status: Status
  createdAt: Date
  completedAt: Date | null
}

export interface TaskPage {
  status?: Status
  after: number
  limit: number
}

const columns = 'id, organization, project, title, status, created_at as "createdAt", completed_at as "completedAt"'
const exportBatch = 500

export async function createTask (database: Database, organization: string, project: string, title: string): Promise<Task> {
  const { rows } = await database.query<Task>(
    `insert into tasks (organization, project, title) values ($1, $2, $3) returning ${columns}`,
    [organization, project, title]
  )
  return rows[0]!
}

export async function listTasks (database: Database, organization: string, project: string, { status, after, limit }: TaskPage): Promise<Task[]> {
  const { rows } = await database.query<Task>(
    `select ${columns} from tasks
      where organization = $1 and project = $2 and id > $3 and ($4::text is null or status = $4)
      order by id limit $5`,
    [organization, project, after, status, limit]
  )
  return rows
}

export async function searchTasks (database: Database, organization: string, text: string): Promise<Task[]> {
  const { rows } = await database.query<Task>(
    `select ${columns} from tasks where organization = $1 and position(lower($2) in lower(title)) > 0 order by id limit 20`,
    [organization, text]
  )
  return rows
}

export async function findTask (database: Database, organization: string, project: string, id: number): Promise<Task | undefined> {
  const { rows } = await database.query<Task>(
    `select ${columns} from tasks where organization = $1 and project = $2 and id = $3`,
    [organization, project, id]
  )
  return rows[0]
}

/** The changed task, and how long it took to complete if this change completed it. */
export async function changeTask (
  database: Database, organization: string, project: string, id: number, change: { title?: string, status?: Status }
): Promise<{ task: Task, completedAfterSeconds: number | null } | undefined> {
  const { rows } = await database.query<Task & { completedAfterSeconds: number | null }>(
    `with before as (
       select id as before_id, status as before_status from tasks
        where organization = $1 and project = $2 and id = $3 for update
     )
     update tasks set
       title = coalesce($4, title),
       status = coalesce($5, status),
       completed_at = case when coalesce($5, status) = 'done' then coalesce(completed_at, now()) end
      from before where id = before_id
     returning ${columns},
       case when before_status <> 'done' then extract(epoch from completed_at - created_at)::float8 end as "completedAfterSeconds"`,
    [organization, project, id, change.title, change.status]
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { completedAfterSeconds, ...task } = row
  return { task, completedAfterSeconds }
}

export async function deleteTask (database: Database, organization: string, project: string, id: number): Promise<Task | undefined> {
  const { rows } = await database.query<Task>(
    `delete from tasks where organization = $1 and project = $2 and id = $3 returning ${columns}`,
    [organization, project, id]
  )
  return rows[0]
}

/** All tasks of an organisation in batches from a cursor: a million tasks need no more memory than a few hundred. */
export async function * readAllTasks (database: Database, organization: string): AsyncGenerator<Task[], void, undefined> {
  const client = await database.connect()
  try {
    const cursor = client.query(new Cursor<Task>(`select ${columns} from tasks where organization = $1 order by id`, [organization]))
    try {
      for (;;) {
        const tasks = await cursor.read(exportBatch)
        if (tasks.length === 0) return
        yield tasks
      }
    } finally {
      await cursor.close()
    }
  } finally {
    client.release()
  }
}
