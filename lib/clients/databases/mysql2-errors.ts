/** What a pool of mysql2 says that has no connection to give; its errors have no code. */
export const POOL_ERRORS: ReadonlyMap<unknown, string> = new Map([
  ['No connections available.', 'connection_timeout'],
  ['Queue limit reached.', 'connection_timeout'],
  ['Pool is closed.', 'pool_closed']
])
