import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Traffic } from './traffic.ts'

/** {@link Traffic} in a thread of its own: what users send is not what the service sends. */
export class TrafficThread {
  readonly #worker: Worker

  constructor (origin: string) {
    this.#worker = new Worker(fileURLToPath(import.meta.url), { workerData: { origin } })
  }

  /** Resolves after the first round. */
  async start (): Promise<void> {
    await once(this.#worker, 'message')
  }

  async stop (): Promise<void> {
    const ended = once(this.#worker, 'exit')
    this.#worker.postMessage('stop')
    await ended
  }
}

if (!isMainThread && parentPort !== null) {
  const traffic = new Traffic((workerData as { origin: string }).origin)
  const stopped = once(parentPort, 'message').then(() => traffic.stop())
  await traffic.start()
  parentPort.postMessage('ready')
  await stopped
}
