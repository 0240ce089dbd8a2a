import { readFileSync } from 'node:fs'

/** A self-signed certificate for localhost, good for a hundred years, and its key, which guards nothing. */
export const certificate = {
  key: readFileSync(new URL('./key.pem', import.meta.url)),
  cert: readFileSync(new URL('./cert.pem', import.meta.url))
}
