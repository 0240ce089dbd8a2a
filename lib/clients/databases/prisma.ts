import { performance } from 'node:perf_hooks'
import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import type { DbClient } from './db-client.ts'
import type { OperationRow } from './operation-row.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What Prisma tells a query extension of an operation; raw statements and commands have no model. */
interface Operation {
  readonly model?: string
  readonly operation: string
  readonly args: unknown
  readonly query: (args: unknown) => Promise<unknown>
}

/** What a client's operations are sent as. */
interface Request {
  readonly model?: string
  readonly action: string
  /** As the application called it: `$queryRaw`. */
  readonly clientMethod: string
  readonly args: unknown
}

interface PrismaClient extends Internals {
  $extends (extension: object): PrismaClient
  /** Which kind of database it speaks to. */
  readonly _activeProvider?: unknown
}

/** Not public, and the same from Prisma 5 to 7. Looked at for what they cost less: where they are not, an extension is enough. */
interface Internals {
  /** Through it all operations go to the database, behind all extensions. */
  readonly _executeRequest?: (request: Request) => Promise<unknown>
  /** Where there are any, each operation and each result is put through them, whatever they hold. */
  readonly _extensions?: { readonly isEmpty?: () => boolean }
}

interface PrismaError {
  readonly code?: unknown
  readonly errorCode?: unknown
  readonly message?: unknown
  readonly meta?: { readonly driverAdapterError?: { readonly cause?: { readonly kind?: unknown } } }
}

/** OpenTelemetry's names of databases by Prisma's. */
const SYSTEMS: Readonly<Record<string, string>> = { postgresql: 'postgresql', postgres: 'postgresql', mysql: 'mysql', sqlite: 'sqlite', sqlserver: 'microsoft.sql_server', cockroachdb: 'cockroachdb', mongodb: 'mongodb' }

const NAME = 'fastify-vitals'

const UNKNOWN_SYSTEM = 'other_sql'

/** The codes of a connection that was not had: there was no transaction; P1017 is of one that was lost (Prisma, "Error codes", Common). */
const NO_CONNECTION = /^P1(?!017)\d{3}$/

/** The same as the driver adapters say it; raw statements have a code of their own. */
const NO_CONNECTION_KINDS: ReadonlySet<unknown> = new Set(['AuthenticationFailed', 'DatabaseNotReachable', 'DatabaseDoesNotExist', 'DatabaseAccessDenied', 'TlsConnectionError', 'TooManyConnections'])

/** How the pool of pg gives up a wait, with no code, and Prisma itself (`maxWait`), with the code of all that goes wrong with a transaction. */
const WAITED_TOO_LONG = /^timeout exceeded when trying to connect$|Unable to start a transaction in the given time/

/** Prisma Client: an extended client takes its place, so that the given one stays what it was. */
export const prisma: ClientAdapter = {
  title: 'Prisma (PrismaClient)',
  recognises: client => {
    const { $extends, $transaction, $connect } = client as Readonly<Record<string, unknown>>
    return [$extends, $transaction, $connect].every(method => typeof method === 'function')
  },
  attach: (client, context) => attach(client as PrismaClient, context)
}

function attach (client: PrismaClient, context: ClientContext): Attachment {
  const observer = new PrismaObserver(context.db(SYSTEMS[String(client._activeProvider)] ?? UNKNOWN_SYSTEM))
  return { client: observer.extend(client), detach: () => observer.detach() }
}

/** The extended clients of one: that which `instrument()` returns, and what the application extends further. */
class PrismaObserver {
  readonly #db: DbClient
  /** By model and action, of which a schema has so many. */
  readonly #rows = new Map<string, Map<string, OperationRow>>()
  readonly #observed = new WeakSet<object>()
  /** Whether what all operations go through is observed, in place of an extension's query. */
  #isLight = false
  #isOn = true

  constructor (db: DbClient) {
    this.#db = db
  }

  extend (client: PrismaClient): object {
    this.#isLight = typeof client._executeRequest === 'function'
    if (this.#isLight) return this.#observe(extendLightly(client))
    return this.#observe(client.$extends({
      name: NAME,
      query: {
        $allOperations: (operation: Operation) => this.#isOn ? observe(() => operation.query(operation.args), this.#rowOf(operation.model, operation.operation, operation.args)) : operation.query(operation.args)
      }
    }))
  }

  /** Applications may hold them, and make them by the request: they stay, and do nothing. */
  detach (): void {
    this.#isOn = false
  }

  #rowOf (model: string | undefined, operation: string, args: unknown): OperationRow {
    return model === undefined ? this.#rawRowOf(operation, args) : this.#rows.get(model)?.get(operation) ?? this.#addRow(model, operation)
  }

  #addRow (model: string, operation: string): OperationRow {
    const row = this.#db.operation(operation, model)
    const rows = this.#rows.get(model) ?? new Map<string, OperationRow>()
    this.#rows.set(model, rows.set(operation, row))
    return row
  }

  /** Statements are told like those of a driver. */
  #rawRowOf (operation: string, args: unknown): OperationRow {
    const text = textOf(args)
    return text === undefined ? this.#db.operation(operation) : this.#db.statement(text).row
  }

  /** A client that is extended further has nothing of this. `hasTransactions`: those of the library, not of an extension, which call these. */
  #observe (extended: PrismaClient, hasTransactions: boolean = true): PrismaClient {
    if (this.#observed.has(extended)) return extended
    this.#observed.add(extended)
    wrapMethod(extended, '$extends', (receiver, original, args) => {
      const [extension] = args as [{ readonly client?: { readonly $transaction?: unknown } } | undefined]
      return this.#observe(Reflect.apply(original, receiver, args) as PrismaClient, hasTransactions && extension?.client?.$transaction === undefined)
    })
    if (hasTransactions) wrapMethod(extended, '$transaction', (receiver, original, args) => this.#isOn ? this.#transact(receiver, original, args) : Reflect.apply(original, receiver, args))
    if (this.#isLight) wrapMethod(extended, '_executeRequest', (receiver, original, args) => this.#isOn ? this.#execute(receiver, original, args) : Reflect.apply(original, receiver, args))
    return extended
  }

  #execute (receiver: object, original: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const [{ model, action, clientMethod, args: given }] = args as [Request]
    return observe(() => Reflect.apply(original, receiver, args) as Promise<unknown>, this.#rowOf(model, model === undefined ? clientMethod : action, given))
  }

  #transact (receiver: object, original: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    // One inside of another is a savepoint of that one; its client cannot connect.
    if ((receiver as { $connect?: unknown }).$connect === undefined) return Reflect.apply(original, receiver, args)
    const [work, ...options] = args
    // Of an empty array nothing is sent.
    if (Array.isArray(work) && work.length === 0) return Reflect.apply(original, receiver, args)
    if (typeof work !== 'function') return observeTransaction(Reflect.apply(original, receiver, args) as Promise<unknown>, this.#db, isConnected)
    let hasBegun = false
    const observed = (tx: unknown): unknown => {
      hasBegun = true
      return Reflect.apply(work, undefined, [tx])
    }
    return observeTransaction(Reflect.apply(original, receiver, [observed, ...options]) as Promise<unknown>, this.#db, () => hasBegun)
  }
}

async function observeTransaction (running: Promise<unknown>, db: DbClient, hasBegun: (error: unknown) => boolean): Promise<unknown> {
  try {
    const result = await running
    db.transaction('committed')
    return result
  } catch (error) {
    if (hasBegun(error)) db.transaction('rolled_back')
    throw error
  }
}

/** Whether an error says nothing of a connection that was not had. */
function isConnected (error: unknown): boolean {
  const { code, errorCode, message, meta } = Object(error) as PrismaError
  return !NO_CONNECTION.test(String(code ?? errorCode)) && !WAITED_TOO_LONG.test(String(message)) && !NO_CONNECTION_KINDS.has(meta?.driverAdapterError?.cause?.kind)
}

/** An extension that holds nothing, and for which Prisma does nothing. */
function extendLightly (client: PrismaClient): PrismaClient {
  const given = client._extensions
  const extended = client.$extends({ name: NAME })
  const own = extended._extensions
  if (typeof given?.isEmpty === 'function' && own !== undefined && own !== given) Object.defineProperty(own, 'isEmpty', { value: () => given.isEmpty!() })
  return extended
}

async function observe (run: () => Promise<unknown>, row: OperationRow): Promise<unknown> {
  const startedMs = performance.now()
  try {
    const result = await run()
    row.succeeded(startedMs)
    return result
  } catch (error) {
    row.failed(startedMs, error)
    throw error
  }
}

/** The text of a tagged template, or of an `…Unsafe` call; its values are never looked at. */
function textOf (args: unknown): string | undefined {
  const [first] = Array.isArray(args) ? args as unknown[] : [args]
  if (typeof first === 'string') return first
  const { strings } = Object(first) as { strings?: readonly string[] }
  return strings?.join('?')
}
