/** Why a push failed: the values of label `reason` of `vitals_export_failures_total`. */
export type PushFailure = 'unreachable' | 'dns' | 'connection' | 'timeout' | 'unavailable' | 'rejected' | 'invalid_answer' | 'error'

const FAILURE_OF_CODE: Readonly<Record<string, PushFailure>> = {
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  ECONNRESET: 'connection',
  EPIPE: 'connection',
  ETIMEDOUT: 'timeout'
}

/** Status codes of gRPC (https://grpc.io/docs/guides/status-codes/) that stand for something else than a refusal. */
const FAILURE_OF_GRPC: Readonly<Record<number, PushFailure>> = { 4: 'timeout', 8: 'unavailable', 14: 'unreachable' }

/** Answers that ask to come back later (OTLP specification, "Retryable Response Codes"). */
const RETRYABLE: readonly number[] = [429, 502, 503, 504]

/** What the error of an exporter stands for. */
export function toPushFailure (error: unknown): PushFailure {
  const { code, message = '' } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown, message?: string }
  if (typeof code === 'number') {
    if (code < 100) return FAILURE_OF_GRPC[code] ?? 'rejected'
    return RETRYABLE.includes(code) ? 'unavailable' : 'rejected'
  }
  if (typeof code === 'string') return FAILURE_OF_CODE[code] ?? (code.startsWith('HPE_') ? 'invalid_answer' : 'error')
  if (/timed out/i.test(message)) return 'timeout'
  return /retryable status/.test(message) ? 'unavailable' : 'error'
}
