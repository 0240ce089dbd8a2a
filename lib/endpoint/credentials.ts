import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

// Per process: a digest found in a heap dump cannot be looked up in a table of known secrets.
const key = randomBytes(32)

function toDigest (secret: Buffer): Buffer {
  return createHmac('sha256', key).update(secret).digest()
}

/**
 * A check whether a presented secret is one of these. It compares digests of one length, and all of them, so that its time tells
 * neither how long a secret is, nor how much of it was right, nor which of several it was.
 */
export function toSecretMatcher (secrets: readonly string[]): (presented: Buffer) => boolean {
  const known = secrets.map((secret) => toDigest(Buffer.from(secret)))
  return (presented) => {
    const digest = toDigest(presented)
    let found = false
    for (const each of known) found = timingSafeEqual(each, digest) || found
    return found && presented.length > 0
  }
}

/**
 * The credentials of an Authorization header of this scheme (RFC 9110, 11.6.2; the scheme's case does not matter), as the bytes
 * that were sent; empty when it is of another scheme. Node reads header bytes as latin1.
 */
export function toCredentials (header: string | undefined, scheme: 'bearer' | 'basic'): Buffer {
  if (header === undefined || header[scheme.length] !== ' ') return Buffer.alloc(0)
  if (header.slice(0, scheme.length).toLowerCase() !== scheme) return Buffer.alloc(0)
  const credentials = header.slice(scheme.length + 1).trim()
  return Buffer.from(credentials, scheme === 'basic' ? 'base64' : 'latin1')
}
