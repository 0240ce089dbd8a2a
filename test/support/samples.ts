/** One line of the Prometheus text format. */
export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

const kLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const kLabel = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/gy

/** Reads rendered text back. It knows nothing of the renderer, and refuses what it does not understand. */
export function parseSamples (text: string): Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const match = kLine.exec(line)
    if (match === null) throw new Error(`not a sample line: ${line}`)
    samples.push({ name: match[1]!, labels: parseLabels(match[2] ?? ''), value: toNumber(match[3]!) })
  }
  return samples
}

function parseLabels (text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let end = 0
  for (const match of text.matchAll(kLabel)) {
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, char: string) => char === 'n' ? '\n' : char)
    end = match.index + match[0].length
  }
  if (end !== text.length) throw new Error(`not a label list: ${text}`)
  return labels
}

function toNumber (text: string): number {
  if (text === '+Inf') return Infinity
  if (text === '-Inf') return -Infinity
  const value = Number(text)
  if (Number.isNaN(value) && text !== 'NaN') throw new Error(`not a value: ${text}`)
  return value
}
