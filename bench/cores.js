import { execFileSync, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

const isPlaceable = availableParallelism() > 1 && [['taskset', '--version'], ['chrt', '--version']].every(isThere)

/** Options of `fork()` by which a process stays on the second core, where the system can (util-linux). */
export const onSecondCore = isPlaceable ? { execPath: 'taskset', execArgv: ['-c', '1', process.execPath] } : {}

/**
 * Keeps this process, and the servers that it starts from now on, on the first core, and both cores awake: a process of the lowest
 * class on each, which gives way to every other. Otherwise a process that waits for another is woken within 5 µs or 50, as it
 * happens, and moved between cores in the middle of it. Returns how to end that.
 */
export function holdCores () {
  if (!isPlaceable) return () => {}
  const before = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' }).trim().split(' ').at(-1)
  const awake = ['0', '1'].map((core) => spawn('taskset', ['-c', core, 'chrt', '-i', '0', process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' }))
  place('0')
  return () => {
    for (const child of awake) child.kill('SIGKILL')
    place(before)
  }
}

function place (cores) {
  execFileSync('taskset', ['-acp', cores, String(process.pid)], { stdio: 'ignore' })
}

function isThere ([command, ...args]) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
