import type { Attributes, OtlpIdentity } from '../series/otlp-identity.ts'
import type { HttpLabelNames } from './http-metrics.ts'

/** The least status that is the server's own failure (OpenTelemetry semantic conventions, HTTP spans, "Status"). */
const SERVER_ERROR = 500

/**
 * The labels of the HTTP set as attributes of OpenTelemetry's semantic conventions for HTTP metrics: the status as a number,
 * the scheme with every series, and an error type where a request failed: the reason, or the status where there is no other.
 */
export function toHttpAttributes (labels: HttpLabelNames, scheme: string): NonNullable<OtlpIdentity['toAttributes']> {
  return (names, values) => {
    const attributes: Record<string, Attributes[string]> = {}
    names.forEach((name, i) => {
      const value = values[i]!
      if (name === labels.method) attributes['http.request.method'] = value
      else if (name === labels.endpoint) attributes['http.route'] = value
      else if (name === labels.reason) attributes['error.type'] = value
      else if (name === labels.status) {
        attributes['http.response.status_code'] = Number(value)
        if (Number(value) >= SERVER_ERROR) attributes['error.type'] ??= value
      } else attributes[name] = value
    })
    attributes['url.scheme'] = scheme
    return attributes
  }
}
