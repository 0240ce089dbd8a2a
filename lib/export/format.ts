/** The text formats of a scrape. */
export type Format = 'prometheus' | 'openmetrics'

const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8'
}

/** The media type of a format. */
export function contentType (format: Format): string {
  return CONTENT_TYPES[format]
}
