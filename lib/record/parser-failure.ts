/** What an error of the HTTP/1 parser stands for: the status that Node and Fastify answer it with, and why. */
export interface ParserFailure {
  readonly status: number
  readonly reason: 'parse_error' | 'timeout'
}

const FAILURE_OF_CODE: Readonly<Record<string, ParserFailure>> = {
  HPE_HEADER_OVERFLOW: { status: 431, reason: 'parse_error' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, reason: 'parse_error' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, reason: 'timeout' }
}

/** A request that ends too early: the client left. */
export const CUT_SHORT = 'HPE_INVALID_EOF_STATE'

/** The failure that an error stands for; `undefined` for resets, TLS failures and all else that is not the parser's. */
export function toParserFailure (error: NodeJS.ErrnoException | null): ParserFailure | undefined {
  const code = error?.code ?? ''
  return FAILURE_OF_CODE[code] ?? (code.startsWith('HPE_') ? { status: 400, reason: 'parse_error' } : undefined)
}
