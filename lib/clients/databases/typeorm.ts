import type { Attachment, ClientAdapter, ClientContext } from '../client-adapter.ts'
import { DriverClients } from './driver-clients.ts'
import { wrapMethod } from '../wrap-method.ts'

/** What is used of a typeorm driver: the clients that it has once it is connected, which are not in its types. */
interface TypeormDriver {
  /** pg. */
  readonly master?: object | undefined
  readonly slaves?: readonly object[]
  /** mysql2. */
  readonly pool?: object | undefined
  readonly poolCluster?: object | undefined
  /** better-sqlite3. */
  readonly databaseConnection?: object | undefined
}

interface DataSource {
  readonly driver: TypeormDriver
  readonly options: { readonly type: string }
}

/** Those that are built on a driver whose queries can be counted. */
const TYPES: ReadonlySet<unknown> = new Set(['postgres', 'cockroachdb', 'mysql', 'mariadb', 'better-sqlite3'])

/** typeorm: the clients of its driver, which it makes anew each time that it is initialized. */
export const typeorm: ClientAdapter = {
  title: 'typeorm (DataSource on pg, mysql2 or better-sqlite3)',
  recognises: client => {
    const { driver, options, initialize, getRepository } = client as Readonly<Record<string, unknown>>
    const isDataSource = typeof initialize === 'function' && typeof getRepository === 'function' && typeof Object(driver).connect === 'function'
    return isDataSource && TYPES.has(Object(options).type)
  },
  attach: (client, context) => attach((client as DataSource), context)
}

function attach ({ driver, options }: DataSource, context: ClientContext): Attachment {
  const clients = new DriverClients(context)
  /** Those of the last time, which are closed where it has others now. */
  let before: readonly WeakRef<object>[] = []
  const observe = (): void => {
    const present = clientsOf(driver)
    clients.release(before.map(ref => ref.deref()).filter((client): client is object => client !== undefined && !present.includes(client)))
    before = present.map(client => new WeakRef(client))
    const isObserved = present.map(client => clients.observe(client))
    if (isObserved.includes(false)) context.warn(`The queries of typeorm are not counted: what its driver ${options.type} is built on is none of pg, mysql2, better-sqlite3`)
  }
  observe()
  const restore = wrapMethod(driver, 'connect', async (receiver, original, args) => {
    const result = await Reflect.apply(original, receiver, args)
    observe()
    return result
  })
  return {
    detach () {
      restore()
      clients.release(clientsOf(driver))
    }
  }
}

function clientsOf ({ master, slaves = [], pool, poolCluster, databaseConnection }: TypeormDriver): object[] {
  return [master, ...slaves, pool, poolCluster, databaseConnection].filter(client => client !== undefined)
}
