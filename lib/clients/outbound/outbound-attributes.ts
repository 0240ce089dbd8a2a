import type { Attributes, OtlpIdentity } from '../../series/otlp-identity.ts'
import { NO_RESPONSE } from './host-rows.ts'
import type { Schemes } from './schemes.ts'

/** The least status that is an error to a client (OpenTelemetry semantic conventions, HTTP spans, "Status"). */
const CLIENT_ERROR = 400

/**
 * The labels of the outbound set as attributes of OpenTelemetry's semantic conventions for HTTP client metrics. The host
 * becomes address and port; the error type is that of the failure, else the status where it is an error.
 */
export function toOutboundAttributes (schemes: Schemes): NonNullable<OtlpIdentity['toAttributes']> {
  return (names, values) => {
    const attributes: Record<string, Attributes[string]> = {}
    names.forEach((name, i) => {
      const value = values[i]!
      if (name === 'method') attributes['http.request.method'] = value
      else if (name === 'error_type') attributes['error.type'] = value
      else if (name === 'host') Object.assign(attributes, toServer(value, schemes))
      else if (value !== NO_RESPONSE) {
        attributes['http.response.status_code'] = Number(value)
        if (Number(value) >= CLIENT_ERROR) attributes['error.type'] = value
      }
    })
    return attributes
  }
}

function toServer (host: string, schemes: Schemes): Attributes {
  const scheme = schemes.of(host)
  const port = schemes.portOf(host)
  return {
    'server.address': host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'),
    ...port !== undefined && { 'server.port': port },
    ...scheme !== undefined && { 'url.scheme': scheme }
  }
}
