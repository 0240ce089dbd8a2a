import { performance } from 'node:perf_hooks'
import type { DbClient } from './db-client.ts'
import { OTHER } from './db.ts'
import { listen } from './listen.ts'
import type { OperationRow } from './operation-row.ts'

type Document = Readonly<Record<string, unknown>>

/** A command event (MongoDB specifications, "Command Logging and Monitoring"). */
interface CommandEvent {
  /** Counted up for all clients of the process. */
  readonly requestId: number
  readonly commandName: string
}

interface StartedEvent extends CommandEvent {
  readonly command: Document
}

interface SucceededEvent extends CommandEvent {
  readonly reply: unknown
}

interface FailedEvent extends CommandEvent {
  readonly failure: unknown
}

/** What the driver sends of its own accord, or to see whether the server is there. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['hello', 'ismaster', 'isMaster', 'ping', 'endSessions', 'authenticate', 'saslStart', 'saslContinue'])

/** Command names are a fixed list of the server's. */
const COMMAND = /^[A-Za-z]{1,64}$/

const LONGEST_COLLECTION = 128

const ENDINGS: ReadonlyMap<string, 'committed' | 'rolled_back'> = new Map([['commitTransaction', 'committed'], ['abortTransaction', 'rolled_back']])

/** Counts each command that goes to a server, retries and cursors' batches included. The clock is ours: the events' has whole ms only. */
export function watchMongoCommands (client: NodeJS.EventEmitter, db: DbClient): () => void {
  const running = new Map<number, { readonly row: OperationRow, readonly startedMs: number }>()
  const end = ({ requestId, commandName }: CommandEvent, failure: { readonly error: unknown } | undefined): void => {
    const command = running.get(requestId)
    if (command === undefined) return
    running.delete(requestId)
    if (failure === undefined) command.row.succeeded(command.startedMs)
    else command.row.failed(command.startedMs, failure.error)
    const status = ENDINGS.get(commandName)
    // An abort that fails is one all the same: the server gives the transaction up.
    if (status !== undefined && (failure === undefined || status === 'rolled_back')) db.transaction(status)
  }
  return listen(client, {
    commandStarted: ({ requestId, commandName, command }: StartedEvent) => {
      if (HOUSEKEEPING.has(commandName)) return
      const operation = COMMAND.test(commandName) ? commandName : OTHER
      running.set(requestId, { row: db.operation(operation, collectionOf(command, commandName)), startedMs: performance.now() })
    },
    commandSucceeded: (event: SucceededEvent) => end(event, refusalIn(event.reply)),
    commandFailed: (event: FailedEvent) => end(event, { error: event.failure })
  })
}

/** The collection that a command names: mostly by its own name, else by another field. */
function collectionOf (command: Document, name: string): string {
  const [first] = Array.isArray(command['nsInfo']) ? command['nsInfo'] as { ns: unknown }[] : []
  const named = first === undefined ? [command[name], command['collection']].find(value => typeof value === 'string') : withoutDatabase(String(first.ns))
  return typeof named === 'string' && named !== '' && named.length <= LONGEST_COLLECTION ? named : OTHER
}

function withoutDatabase (namespace: string): string {
  return namespace.slice(namespace.indexOf('.') + 1)
}

/** The error in a reply that is one though the command succeeded: of a document that was refused, or of the write concern. */
function refusalIn (reply: unknown): { readonly error: unknown } | undefined {
  const { writeErrors, writeConcernError } = Object(reply) as Document
  const error = (Array.isArray(writeErrors) ? writeErrors[0] : undefined) ?? writeConcernError
  return error === undefined || error === null ? undefined : { error }
}
