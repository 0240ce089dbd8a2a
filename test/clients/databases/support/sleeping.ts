import type { DbSubject } from '../db-contract.ts'

const SLEEPING: Readonly<Record<string, string>> = {
  postgresql: 'select pid as id from pg_stat_activity where query like \'select pg_sleep%\' and state = \'active\'',
  mysql: 'select id as id from information_schema.processlist where info like \'select sleep%\''
}

/** Resolves when the server works on a sleeping statement, as another client sees it; ends it where asked to. */
export async function isBusy (subject: Pick<DbSubject, 'system' | 'open' | 'rows'>, port: number, isToEnd: boolean = false): Promise<void> {
  const watcher = subject.open({ port, max: 1, connectTimeoutMs: 5_000 })
  try {
    const sleeping = async (): Promise<{ id: unknown }[]> => subject.rows(await watcher.run(SLEEPING[subject.system]!)) as { id: unknown }[]
    let found = await sleeping()
    while (found.length === 0) found = await sleeping()
    const id = Number(found[0]!.id)
    if (isToEnd) await watcher.run(subject.system === 'postgresql' ? `select pg_cancel_backend(${id})` : `kill query ${id}`)
  } finally {
    await watcher.close()
  }
}
