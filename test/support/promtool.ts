import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

export interface PromtoolVerdict {
  /** Whether Prometheus' own parser takes the text. */
  parses: boolean
  /** What its parser and its linter say, one complaint a line; empty is the best there is. */
  complaints: string
}

/** `promtool check metrics`, from Debian's package `prometheus`, on a text of format 0.0.4. */
export async function checkMetrics (exposition: string | Uint8Array): Promise<PromtoolVerdict> {
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'ignore', 'pipe'] })
  const exited = new Promise<number | null>((resolve, reject) => promtool.once('error', reject).once('close', resolve))
  promtool.stdin.end(exposition)
  const [code, complaints] = await Promise.all([exited, text(promtool.stderr)])
  return { parses: code === 0 || code === 3, complaints: complaints.trim() }
}
