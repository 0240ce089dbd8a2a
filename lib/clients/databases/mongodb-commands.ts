import { performance } from 'node:perf_hooks'
import type { DbClient } from './db-client.ts'
import { OTHER } from './db.ts'
import { listen } from './listen.ts'
import { MongoTransactions } from './mongodb-transactions.ts'
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

/** A command under way. */
interface Running {
  readonly row: OperationRow
  readonly startedMs: number
  /** The command, where it ends a transaction. */
  readonly ending: Document | undefined
}

/** What the driver sends of its own accord, or to see whether the server is there. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['hello', 'ismaster', 'isMaster', 'ping', 'endSessions', 'authenticate', 'saslStart', 'saslContinue'])

/** Command names are a fixed list of the server's. */
const COMMAND = /^[A-Za-z]{1,64}$/

/** Commands that are about users and roles: their value is the name of one. */
const OF_PEOPLE = /user|role/i

const LONGEST_COLLECTION = 128

const ENDINGS: ReadonlySet<string> = new Set(['commitTransaction', 'abortTransaction'])

/** Counts each command that goes to a server, retries and cursors' batches included. The clock is ours: the events' has whole ms only. */
export function watchMongoCommands (client: NodeJS.EventEmitter, db: DbClient): () => void {
  const running = new Map<number, Running>()
  const transactions = new MongoTransactions(db)
  const end = ({ requestId, commandName }: CommandEvent, failure: { readonly error: unknown } | undefined, isTaken: boolean): void => {
    const started = running.get(requestId)
    if (started === undefined) return
    running.delete(requestId)
    const { row, startedMs, ending } = started
    if (failure === undefined) row.succeeded(startedMs)
    else row.failed(startedMs, failure.error)
    if (ending !== undefined) transactions.ended(commandName, ending, isTaken, failure)
  }
  return listen(client, {
    commandStarted: ({ requestId, commandName, command }: StartedEvent) => {
      transactions.starts(commandName, command)
      if (HOUSEKEEPING.has(commandName)) return
      const operation = COMMAND.test(commandName) ? commandName : OTHER
      const ending = ENDINGS.has(commandName) ? command : undefined
      running.set(requestId, { row: db.operation(operation, collectionOf(command, commandName)), startedMs: performance.now(), ending })
    },
    commandSucceeded: (event: SucceededEvent) => end(event, refusalIn(event.reply), true),
    commandFailed: (event: FailedEvent) => end(event, { error: event.failure }, false)
  })
}

/** The collection that a command names: mostly by its own name, else by another field. */
function collectionOf (command: Document, name: string): string {
  if (OF_PEOPLE.test(name)) return OTHER
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
