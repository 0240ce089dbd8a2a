import type { ExpositionFormat, ParsedExposition } from './exposition-grammar.ts'
import { parseExposition } from './exposition-grammar.ts'
import type { DecodedFamily } from './metric-families.ts'
import { decodeFamilies } from './metric-families.ts'

export const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

const ACCEPT: Readonly<Record<ExpositionFormat, string>> = { prometheus: 'text/plain', openmetrics: 'application/openmetrics-text' }

async function ask (port: number, accept: string): Promise<Buffer> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/metrics`, { headers: { accept } })
  const type = response.headers.get('content-type')!
  if (response.status !== 200 || !type.startsWith(accept)) throw new Error(`${response.status} ${type} for ${accept}`)
  return Buffer.from(await response.arrayBuffer())
}

/** What the endpoint on a port answers in a text format. */
export async function scrapeText (port: number, format: ExpositionFormat): Promise<ParsedExposition> {
  return parseExposition(await ask(port, ACCEPT[format]), format)
}

/** What it answers in protobuf. */
export async function scrapeProtobuf (port: number): Promise<Map<string, DecodedFamily>> {
  return decodeFamilies(await ask(port, PROTOBUF))
}
