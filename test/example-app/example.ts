// Starts the example as a user does: `npm start` in a copy of the repository's files, in a terminal of its own.
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const cloned = ['lib', 'example-app', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
const pollMs = 50

export class Clone {
  readonly folder: string
  readonly #running = new Set<Example>()

  private constructor (folder: string) {
    this.folder = folder
  }

  /** A clone that has its dependencies and nothing built. */
  static async make (): Promise<Clone> {
    const clone = new Clone(await mkdtemp(join(tmpdir(), 'clone-')))
    for (const name of cloned) {
      await cp(join(repository, name), join(clone.folder, name), { recursive: true, filter: (path) => !/[/\\]dist$/.test(path) })
    }
    await symlink(join(repository, 'node_modules'), join(clone.folder, 'node_modules'))
    // The database runs as another user, who has to get through to its files.
    await mkdir(clone.temporary)
    await chmod(clone.folder, 0o755)
    return clone
  }

  /** Where the example puts its temporary files. */
  get temporary (): string {
    return join(this.folder, 'tmp')
  }

  start (args: string[] = [], env: NodeJS.ProcessEnv = {}): Example {
    const example = new Example(this, args, env)
    this.#running.add(example)
    example.ended.then(() => this.#running.delete(example))
    return example
  }

  /** Processes that run out of this clone: the service, npm, PostgreSQL. */
  async processes (): Promise<string[]> {
    const { stdout } = await promisify(execFile)('ps', ['-axww', '-o', 'pid=,args='])
    return stdout.split('\n').filter((line) => line.includes(this.folder) && !line.includes('ps -axww'))
  }

  /** What is left of the example: nothing, after a clean end. */
  async leftovers (): Promise<string[]> {
    return [...await this.processes(), ...await readdir(this.temporary)]
  }

  /** Removes what a killed example could not. */
  async tidy (): Promise<void> {
    for (const name of await readdir(this.temporary)) await rm(join(this.temporary, name), { recursive: true })
  }

  async remove (): Promise<void> {
    for (const example of this.#running) example.press('SIGKILL')
    await until(async () => (await this.processes()).length === 0)
    await rm(this.folder, { recursive: true })
  }
}

export class Example {
  output = ''
  errors = ''
  readonly ended: Promise<number | null>
  readonly #process: ChildProcess

  constructor ({ folder, temporary }: Clone, args: string[], env: NodeJS.ProcessEnv) {
    // A process group of its own, as a terminal makes one for each command.
    this.#process = spawn('npm', ['start', '--silent', '--', ...args], {
      cwd: folder,
      detached: true,
      // npm keeps compiled code among the temporary files on newer versions of Node.
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: temporary, NODE_DISABLE_COMPILE_CACHE: '1', PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => { this.output += text })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => { this.errors += text })
    this.ended = once(this.#process, 'close').then(([code]) => code)
  }

  /** Resolves with what the terminal shows once that matches. */
  async shows (pattern: RegExp): Promise<RegExpMatchArray> {
    let ended = false
    this.ended.then(() => { ended = true })
    return until(() => {
      const match = this.output.match(pattern)
      if (match === null && ended) throw new Error(`The example ended without showing ${pattern}:\n${this.output}\n${this.errors}`)
      return match
    })
  }

  /** Resolves with the origin once the service runs. */
  async origin (): Promise<string> {
    await this.shows(/Ctrl-C stops everything/)
    const [, origin] = await this.shows(/listens on (\S+)/)
    return origin!
  }

  /** Signals every process of the group, as Ctrl-C in a terminal does. */
  press (signal: NodeJS.Signals = 'SIGINT'): void {
    process.kill(-this.#process.pid!, signal)
  }

  /** Signals only the process of the command, as a supervisor does. */
  end (signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }
}

/** Asks a process outside of this one again and again, until it has an answer. tap's timeout is the limit. */
export async function until<Answer> (ask: () => Answer | Promise<Answer>): Promise<NonNullable<Exclude<Answer, false>>> {
  for (;;) {
    const answer = await ask()
    if (answer !== null && answer !== undefined && answer !== false) return answer as NonNullable<Exclude<Answer, false>>
    await delay(pollMs)
  }
}
