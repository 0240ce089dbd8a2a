/** An application's log of lines of ours, from a level on. */
export function logOf (level = 'warn'): { lines: string[], logger: object } {
  const lines: string[] = []
  return { lines, logger: { level, stream: { write: (line: string) => { lines.push((JSON.parse(line) as { msg: string }).msg) } } } }
}
