import { readFileSync } from 'node:fs'
import type { Agent, ClientRequest } from 'node:http'
import type { AgentOptions } from 'node:https'
import type { Socket } from 'node:net'
import { VitalsError } from '../errors.ts'
import { yieldPush } from './lone-pushes.ts'
import { createLookup } from './one-lookup.ts'
import type { ResolvedOtlp } from './otlp-options.ts'

const pushAgents = new WeakSet<object>()

/** Whether an agent carries pushes, whichever application's. */
export function isPushAgent (agent: unknown): boolean {
  return typeof agent === 'object' && agent !== null && pushAgents.has(agent)
}

/** The connections that pushes go over, so that one that takes too long can be cut. */
export class PushConnections {
  /** What else to end where a push takes too long. */
  onCut: () => void = () => {}
  /** What else to end for good. */
  onClose: () => void = () => {}
  readonly #options: AgentOptions
  #agent: Agent | undefined

  constructor ({ tls }: Pick<ResolvedOtlp, 'tls'>) {
    this.#options = { keepAlive: true, lookup: createLookup(), ...read('ca', 'CERTIFICATE', tls.ca), ...read('cert', 'CLIENT_CERTIFICATE', tls.cert), ...read('key', 'CLIENT_KEY', tls.key) }
  }

  /** Makes the exporter's agent. The module is loaded late, so that an instrumentation can see it. */
  readonly createAgent = async (protocol: string): Promise<Agent> => {
    const { Agent } = protocol === 'https:' ? await import('node:https') : await import('node:http')
    this.#agent = new Agent(this.#options)
    releaseSockets(this.#agent)
    pushAgents.add(this.#agent)
    return this.#agent
  }

  /** Ends every exchange that is under way. */
  cut (): void {
    this.onCut()
    this.#agent?.destroy()
  }

  /** Ends them, and lets no other begin. */
  close (): void {
    this.cut()
    this.onClose()
    if (this.#agent !== undefined) Object.assign(this.#agent, { createConnection: refuse })
  }
}

/** Has an agent's sockets keep no process alive, which they do while a request is under way. */
function releaseSockets (agent: Agent): void {
  const createConnection = agent.createConnection.bind(agent)
  const reuseSocket = agent.reuseSocket.bind(agent)
  Object.assign(agent, {
    createConnection: (...args: Parameters<Agent['createConnection']>) => {
      const socket = (createConnection(...args) as Socket).unref()
      releaseExchange(socket)
      return socket
    },
    reuseSocket: (socket: Socket, request: ClientRequest) => {
      reuseSocket(socket, request)
      releaseExchange(socket.unref())
    }
  })
}

/** The same for what Node cannot let go of, until the agent has the socket back. */
function releaseExchange (socket: Socket): void {
  const release = yieldPush(() => socket.destroy(new Error('Nothing else kept the process alive')))
  const over = (): void => {
    socket.off('free', over).off('close', over)
    release()
  }
  socket.on('free', over).on('close', over)
}

function refuse (_options: unknown, callback: (error: Error) => void): void {
  callback(new Error('No push begins after the application has closed'))
}

function read (option: string, variable: string, path: string | undefined): AgentOptions {
  if (path === undefined) return {}
  try {
    return { [option]: readFileSync(path) }
  } catch (error) {
    throw new VitalsError('FSV_ERR_INVALID_OPTION', `Environment variable OTEL_EXPORTER_OTLP_${variable} must be the path of a PEM file that can be read, got: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
}
