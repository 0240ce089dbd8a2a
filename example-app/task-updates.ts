import { EventEmitter } from 'node:events'
import type { Task } from './tasks.ts'

export interface TaskUpdate {
  type: 'created' | 'changed' | 'deleted'
  task: Task
}

/** Tells those who watch an organisation what happens to its tasks. */
export class TaskUpdates {
  readonly #emitter = new EventEmitter().setMaxListeners(0)

  publish (type: TaskUpdate['type'], task: Task): void {
    this.#emitter.emit(task.organization, { type, task })
  }

  /** Returns the function that ends the subscription. */
  subscribe (organization: string, listener: (update: TaskUpdate) => void): () => void {
    this.#emitter.on(organization, listener)
    return () => this.#emitter.off(organization, listener)
  }
}
