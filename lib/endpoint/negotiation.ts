import type { ScrapeFormat } from '../export/format.ts'

/** One entry of an Accept or Accept-Encoding header. */
interface Preference {
  name: string
  parameters: string[]
  quality: number
}

interface Offer {
  format: ScrapeFormat
  type: string
  /** What its parameters say; one that is not there asks for any. */
  parameters: Readonly<Record<string, string>>
  /** Whether it is given only to whom names it with all its parameters. */
  isExplicit?: boolean
}

const TEXT: Offer = { format: 'prometheus', type: 'text/plain', parameters: { version: '0.0.4' } }
const OFFERS: readonly Offer[] = [
  TEXT,
  { format: 'openmetrics', type: 'application/openmetrics-text', parameters: { version: '1.0.0' } },
  { format: 'protobuf', type: 'application/vnd.google.protobuf', parameters: { proto: 'io.prometheus.client.metricfamily', encoding: 'delimited' }, isExplicit: true }
]

// Real ones have some 400 characters; a longer one gets what no header gets.
const LONGEST_HEADER = 4096

/**
 * The format an Accept header asks for (RFC 9110, 12.5.1): the offer with the highest quality, then the one named more exactly, then the one
 * named first. Text when the header is missing, malformed, or asks for nothing that there is: Prometheus' own clients do the same.
 */
export function negotiateFormat (accept: string | undefined): ScrapeFormat {
  const preferences = toPreferences(accept)
  const ranked = OFFERS.map((offer) => ({ offer, ...rank(offer, preferences) })).filter(({ quality }) => quality > 0)
  const [best] = ranked.sort((a, b) => b.quality - a.quality || b.specificity - a.specificity || a.position - b.position)
  return (best?.offer ?? TEXT).format
}

/** Whether an Accept-Encoding header takes gzip, and not rather the plain bytes (RFC 9110, 12.5.3). */
export function acceptsGzip (acceptEncoding: string | undefined): boolean {
  const preferences = toPreferences(acceptEncoding)
  const qualityOf = (coding: string) => preferences.find(({ name }) => name === coding)?.quality
  const gzip = qualityOf('gzip') ?? qualityOf('*') ?? 0
  return gzip > 0 && gzip >= (qualityOf('identity') ?? 0)
}

function toPreferences (header: string | undefined): Preference[] {
  if (header === undefined || header.length > LONGEST_HEADER) return []
  return header.toLowerCase().split(',').map((entry) => {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim())
    return { name, parameters, quality: toQuality(parameters) }
  })
}

// An unreadable quality makes the entry count for nothing.
function toQuality (parameters: string[]): number {
  const parameter = parameters.find((each) => each.startsWith('q='))
  if (parameter === undefined) return 1
  const quality = Number(parameter.slice(2) || NaN)
  return quality >= 0 && quality <= 1 ? quality : 0
}

// The most exact entry that covers the offer decides its quality, so that `*/*` cannot bring back what was refused by name.
function rank (offer: Offer, preferences: Preference[]): { quality: number, specificity: number, position: number } {
  let best = { quality: 0, specificity: -1, position: 0 }
  for (const [position, preference] of preferences.entries()) {
    const specificity = toSpecificity(offer, preference)
    if (specificity > best.specificity) best = { quality: preference.quality, specificity, position }
  }
  return best
}

function toSpecificity (offer: Offer, { name, parameters }: Preference): number {
  if (offer.isExplicit !== true && name === '*/*') return 0
  if (offer.isExplicit !== true && name === `${offer.type.split('/', 1)[0]}/*`) return 1
  if (name !== offer.type) return -1
  const wanted = Object.entries(offer.parameters).map(([key, value]) => {
    const parameter = parameters.find((each) => each.startsWith(`${key}=`))
    return parameter === undefined ? undefined : parameter.slice(key.length + 1).replaceAll('"', '') === value
  })
  if (wanted.includes(false) || (offer.isExplicit === true && wanted.includes(undefined))) return -1
  return wanted.includes(undefined) ? 2 : 3
}
