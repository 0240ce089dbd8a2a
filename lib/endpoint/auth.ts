import type { FastifyRequest } from 'fastify'
import type { ResolvedAuth } from '../options.ts'
import { toAllowList } from './allow-list.ts'
import { toCredentials, toSecretMatcher } from './credentials.ts'

export interface Authenticator {
  /** Whether the address may ask at all. */
  isListed (request: FastifyRequest): boolean
  /** Whether the request proves who it is; rejects with what `custom` threw. */
  isAuthenticated (request: FastifyRequest): Promise<boolean>
  /** The `WWW-Authenticate` values of a 401 (RFC 9110, 11.6.1: there must be one). */
  readonly challenges: string[]
}

const OPEN: Authenticator = { isListed: () => true, isAuthenticated: async () => true, challenges: [] }

/** `false` lets everybody in. */
export function createAuthenticator (auth: ResolvedAuth | false): Authenticator {
  if (auth === false) return OPEN
  const { bearer, basic, allow, custom } = auth
  const isAllowed = toAllowList(allow)
  const isBearer = toSecretMatcher(bearer)
  const isBasic = toSecretMatcher(basic.map(({ username, password }) => `${username}:${password}`))
  const isListEnough = allow.length > 0 && bearer.length + basic.length === 0 && custom === undefined

  return {
    isListed: ({ ip }) => allow.length === 0 || isAllowed(ip),
    async isAuthenticated (request) {
      if (isListEnough) return true
      const { authorization } = request.headers
      if (isBearer(toCredentials(authorization, 'bearer'))) return true
      if (isBasic(toCredentials(authorization, 'basic'))) return true
      return custom !== undefined && await custom(request) === true
    },
    challenges: toChallenges(bearer.length > 0, basic.length > 0)
  }
}

function toChallenges (bearer: boolean, basic: boolean): string[] {
  const challenges = []
  if (bearer || !basic) challenges.push('Bearer realm="metrics"')
  if (basic) challenges.push('Basic realm="metrics", charset="UTF-8"')
  return challenges
}
