/** The text formats. */
export type Format = 'prometheus' | 'openmetrics'

/** What a scrape may be answered with. */
export type ScrapeFormat = Format | 'protobuf'

const CONTENT_TYPES: Readonly<Record<ScrapeFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  protobuf: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
}

/** The media type of a format. */
export function contentType (format: ScrapeFormat): string {
  return CONTENT_TYPES[format]
}
