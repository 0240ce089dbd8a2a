import type { ClientAdapter } from './client-adapter.ts'
import { mysql2 } from './mysql2.ts'
import { pg } from './pg.ts'
import { sqlite } from './sqlite.ts'

/** Every client that can be instrumented: a new one has its file and its line here. */
export const ADAPTERS: readonly ClientAdapter[] = [pg, mysql2, sqlite]
