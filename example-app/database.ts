import pg from 'pg'
import { isCoded, StartError } from './errors.ts'

export type Database = pg.Pool

export const statuses = ['todo', 'doing', 'done'] as const
export type Status = typeof statuses[number]

// In a schema of its own, so that a database that is used for other things too keeps its tables apart.
const schema = 'fastify_vitals_example'

const tables = `
  create schema if not exists ${schema};

  create table if not exists organizations (
    slug text primary key,
    name text not null,
    created_at timestamptz not null default now()
  );

  create table if not exists projects (
    organization text not null references organizations on delete cascade,
    slug text not null,
    name text not null,
    created_at timestamptz not null default now(),
    primary key (organization, slug)
  );

  create table if not exists tasks (
    id integer generated always as identity primary key,
    organization text not null,
    project text not null,
    title text not null,
    status text not null default 'todo' check (status in (${statuses.map((status) => `'${status}'`).join(', ')})),
    created_at timestamptz not null default now(),
    completed_at timestamptz,
    foreign key (organization, project) references projects on delete cascade
  );

  create index if not exists tasks_by_project on tasks (organization, project, id);
`

/** Opens a pool to a database that has the tables. */
export async function connectDatabase (connectionString: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString,
    options: `-c search_path=${schema}`,
    connectionTimeoutMillis: 5_000,
    max: 10,
  })
  // A connection that breaks while nobody uses it: the pool replaces it, and /health tells.
  pool.on('error', () => {})
  try {
    // The lock keeps two services that start together from creating the same table.
    await pool.query(`begin; select pg_advisory_xact_lock(hashtext('${schema}')); ${tables} commit;`)
    return pool
  } catch (error) {
    await pool.end()
    throw new StartError(`Cannot use the database ${withoutPassword(connectionString)}: ${reason(error)}`)
  }
}

function reason (error: unknown): string {
  if (!isCoded(error)) return error instanceof Error ? error.message : String(error)
  // Node's own errors of several addresses have no message.
  return error.message || error.code
}

function withoutPassword (connectionString: string): string {
  const { host, pathname } = new URL(connectionString)
  return `${pathname.slice(1) || '(default)'} at ${host}`
}
