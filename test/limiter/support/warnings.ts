/** An application's log of warnings of ours. */
export function logOf (): { lines: string[], logger: object } {
  const lines: string[] = []
  return { lines, logger: { level: 'warn', stream: { write: (line: string) => { lines.push((JSON.parse(line) as { msg: string }).msg) } } } }
}
