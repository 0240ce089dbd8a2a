import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { BSON } from 'mongodb'
import type { Test } from 'tap'

/*
 * A small server that speaks MongoDB's wire protocol (OP_MSG, and OP_QUERY for the first hello) and keeps documents in memory: enough of
 * the commands for the driver to believe in a mongos with sessions and transactions. It is not MongoDB.
 */

type Document = Record<string, any>

export interface MongoWire {
  port: number
  url: string
  /** Commands as they came, without those of the driver's own housekeeping. */
  commands: Document[]
  /** What the next command of a name gets instead of its answer: an error document, a broken connection, or its answer later. */
  failNext (command: string, failure: Document | 'drop' | Promise<void>): void
  /** Lets the next connection wait for its first answer. */
  holdNext (until: Promise<void>): void
  start (): Promise<void>
  /** Breaks all connections off and listens no more. */
  kill (): Promise<void>
}

const HEADER_BYTES = 16
const OP_MSG = 2013
const OP_QUERY = 2004
const MORE_TO_COME = 2
const HELLO: ReadonlySet<string> = new Set(['hello', 'ismaster', 'isMaster', 'ping', 'endSessions'])

export async function startMongoWire (t: Test): Promise<MongoWire> {
  const collections = new Map<string, Map<string, Document>>()
  const cursors = new Map<string, { rest: Document[], ns: string }>()
  /** Change streams by cursor: what happened since the last batch, and who waits for it. */
  const streams = new Map<string, { readonly name: string, events: Document[], wake: () => void }>()
  const failures = new Map<string, (Document | 'drop' | Promise<void>)[]>()
  const holds: Promise<void>[] = []
  const sockets = new Set<net.Socket>()
  const commands: Document[] = []
  let lastCursor = 0

  const collection = (name: string): Map<string, Document> => {
    const known = collections.get(name)
    if (known !== undefined) return known
    const made = new Map<string, Document>()
    collections.set(name, made)
    return made
  }
  const find = (name: string, filter: Document = {}): Document[] => {
    const one = '_id' in filter ? collection(name).get(String(filter['_id'])) : undefined
    if ('_id' in filter) return one === undefined ? [] : [one]
    return [...collection(name).values()].filter(document => Object.entries(filter).every(([key, value]) => document[key] === value))
  }
  const keep = (name: string, document: Document): Document | undefined => {
    const key = String(document['_id'])
    if (collection(name).has(key)) return { code: 11000, errmsg: `E11000 duplicate key error collection: test.${name} index: _id_ dup key: { _id: ${key} }`, keyPattern: { _id: 1 }, keyValue: { _id: document['_id'] } }
    collection(name).set(key, document)
    for (const stream of streams.values()) {
      if (stream.name !== name) continue
      stream.events.push({ _id: { _data: `${key}` }, operationType: 'insert', fullDocument: document, ns: { db: 'test', coll: name }, documentKey: { _id: document['_id'] } })
      stream.wake()
    }
    return undefined
  }
  const watch = (name: string): Document => {
    const id = ++lastCursor
    streams.set(String(id), { name, events: [], wake: () => {} })
    return { cursor: { id: BSON.Long.fromNumber(id), ns: `test.${name}`, firstBatch: [], postBatchResumeToken: { _data: '0' } }, ok: 1 }
  }
  const nextEvents = async (id: string): Promise<Document> => {
    const stream = streams.get(id)!
    if (stream.events.length === 0) await new Promise<void>(resolve => { stream.wake = resolve })
    const { events, name } = stream
    stream.events = []
    const isOpen = streams.has(id)
    return { cursor: { id: BSON.Long.fromNumber(isOpen ? Number(id) : 0), ns: `test.${name}`, nextBatch: events, postBatchResumeToken: { _data: '1' } }, ok: 1 }
  }
  const toCursor = (name: string, documents: Document[], batchSize = 101): Document => {
    const ns = `test.${name}`
    const rest = documents.slice(batchSize)
    const id = rest.length === 0 ? 0 : ++lastCursor
    if (id !== 0) cursors.set(String(id), { rest, ns })
    return { cursor: { id: BSON.Long.fromNumber(id), ns, firstBatch: documents.slice(0, batchSize) }, ok: 1 }
  }

  const answers: Record<string, (command: Document) => Document | Promise<Document>> = {
    insert ({ insert, documents }) {
      const writeErrors = (documents as Document[]).flatMap((document, index) => {
        const error = keep(insert, document)
        return error === undefined ? [] : [{ index, ...error }]
      })
      return { n: documents.length - writeErrors.length, ...writeErrors.length > 0 && { writeErrors }, ok: 1 }
    },
    find: ({ find: name, filter, batchSize, limit, singleBatch }) => toCursor(name, find(name, filter).slice(0, limit || undefined), singleBatch ? undefined : batchSize),
    aggregate ({ aggregate: name, pipeline, cursor }) {
      if (name === 1) return toCursor('$cmd.aggregate', [{ one: 1 }])
      const [first, last] = [pipeline[0] ?? {}, pipeline.at(-1) ?? {}] as [Document, Document]
      if ('$changeStream' in first) return watch(name)
      const found = find(name, first['$match'])
      if (!('$out' in last)) return toCursor(name, found, cursor.batchSize)
      collections.set(last['$out'], new Map(found.map(document => [String(document['_id']), document])))
      return toCursor(name, [])
    },
    getMore ({ getMore, batchSize = 101 }) {
      if (streams.has(String(getMore))) return nextEvents(String(getMore))
      const { rest, ns } = cursors.get(String(getMore))!
      const nextBatch = rest.splice(0, batchSize)
      return { cursor: { id: BSON.Long.fromNumber(rest.length === 0 ? 0 : Number(getMore)), ns, nextBatch }, ok: 1 }
    },
    update ({ update: name, updates }) {
      const found = (updates as Document[]).flatMap(({ q, u }) => find(name, q).map(document => Object.assign(document, u.$set)))
      return { n: found.length, nModified: found.length, ok: 1 }
    },
    delete ({ delete: name, deletes }) {
      const found = (deletes as Document[]).flatMap(({ q }) => find(name, q))
      for (const document of found) collection(name).delete(String(document['_id']))
      return { n: found.length, ok: 1 }
    },
    bulkWrite ({ ops, nsInfo }) {
      const firstBatch = (ops as Document[]).map((op, idx) => {
        const error = keep((nsInfo as Document[])[op['insert']]!['ns'].split('.')[1], op['document'])
        return error === undefined ? { ok: 1, idx, n: 1 } : { ok: 0, idx, n: 0, ...error }
      })
      const nErrors = firstBatch.filter(({ ok }) => ok === 0).length
      return { cursor: { id: BSON.Long.fromNumber(0), ns: 'admin.$cmd.bulkWrite', firstBatch }, nErrors, nInserted: firstBatch.length - nErrors, nUpserted: 0, nMatched: 0, nModified: 0, nDeleted: 0, ok: 1 }
    },
    drop ({ drop }) {
      collections.delete(drop)
      return { ok: 1 }
    },
    killCursors ({ cursors: ids }) {
      for (const id of (ids as unknown[]).map(String)) {
        const stream = streams.get(id)
        streams.delete(id)
        stream?.wake()
      }
      return { ok: 1, cursorsKilled: ids, cursorsNotFound: [], cursorsAlive: [], cursorsUnknown: [] }
    },
    create: () => ({ ok: 1 }),
    createIndexes: () => ({ ok: 1 }),
    commitTransaction: () => ({ ok: 1 }),
    abortTransaction: () => ({ ok: 1 })
  }

  const hello = (): Document => ({
    ok: 1, isWritablePrimary: true, ismaster: true, helloOk: true, msg: 'isdbgrid', minWireVersion: 0, maxWireVersion: 25, logicalSessionTimeoutMinutes: 30, maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, localTime: new Date()
  })

  async function answer (socket: net.Socket, message: Buffer): Promise<void> {
    const { requestId, body, isAnswered } = readMessage(message)
    const name = Object.keys(body)[0]!
    let reply: Document
    if (HELLO.has(name)) reply = hello()
    else {
      commands.push(body)
      const failure = failures.get(name)?.shift()
      if (failure === 'drop') {
        socket.destroy()
        return
      }
      if (failure instanceof Promise) await failure
      reply = failure !== undefined && !(failure instanceof Promise) ? failure : await answers[name]?.(body) ?? { ok: 0, code: 59, codeName: 'CommandNotFound', errmsg: `no such command: '${name}'` }
    }
    if (isAnswered) socket.write(toMessage(requestId, reply))
  }

  const server = net.createServer(socket => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    const held = holds.shift()
    if (held !== undefined) {
      socket.pause()
      held.then(() => socket.resume(), () => {})
    }
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= HEADER_BYTES && bytes.length >= bytes.readInt32LE(0)) {
        const length = bytes.readInt32LE(0)
        const message = bytes.subarray(0, length)
        bytes = bytes.subarray(length)
        answer(socket, message).catch(error => socket.destroy(error as Error))
      }
    })
  })
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const kill = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  await listen(0)
  t.teardown(kill)
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `mongodb://127.0.0.1:${port}/test?directConnection=true`,
    commands,
    failNext: (command, failure) => { failures.set(command, [...failures.get(command) ?? [], failure]) },
    holdNext: until => { holds.push(until) },
    start: async () => await listen(port),
    kill
  }
}

function readMessage (message: Buffer): { requestId: number, body: Document, isAnswered: boolean } {
  const requestId = message.readInt32LE(4)
  const opCode = message.readInt32LE(12)
  if (opCode === OP_QUERY) {
    const end = message.indexOf(0, HEADER_BYTES + 4)
    return { requestId, body: toDocument(message.subarray(end + 9)), isAnswered: true }
  }
  let body: Document = {}
  let at = HEADER_BYTES + 4
  while (at < message.length) {
    const isSequence = message[at++] === 1
    const size = message.readInt32LE(at)
    if (isSequence) {
      const nameEnd = message.indexOf(0, at + 4)
      const documents: Document[] = []
      for (let start = nameEnd + 1; start < at + size; start += message.readInt32LE(start)) documents.push(toDocument(message.subarray(start)))
      body[message.toString('utf8', at + 4, nameEnd)] = documents
    } else body = { ...toDocument(message.subarray(at)), ...body }
    at += size
  }
  return { requestId, body, isAnswered: (message.readInt32LE(HEADER_BYTES) & MORE_TO_COME) === 0 }
}

function toDocument (bytes: Buffer): Document {
  return BSON.deserialize(bytes.subarray(0, bytes.readInt32LE(0)), { promoteLongs: true })
}

let lastReply = 0

/** The driver takes this form for an answer to OP_QUERY too. */
function toMessage (responseTo: number, document: Document): Buffer {
  const body = BSON.serialize(document)
  const head = Buffer.alloc(HEADER_BYTES + 5)
  head.writeInt32LE(head.length + body.length, 0)
  head.writeInt32LE(++lastReply, 4)
  head.writeInt32LE(responseTo, 8)
  head.writeInt32LE(OP_MSG, 12)
  return Buffer.concat([head, body])
}
