import { BlockList, isIP } from 'node:net'
import { VitalsError, shown } from '../errors.ts'

const EXPECTATION = 'Option auth.allow must be an IP address or a CIDR range such as 10.0.0.0/8 or fd00::/8'

/**
 * A check whether an address is in one of these addresses or CIDR ranges. IPv4-mapped IPv6 addresses (`::ffff:10.0.0.1`, what a
 * dual-stack listener sees) match IPv4 entries and the other way round; a zone (`fe80::1%eth0`) is left out of account.
 * What is not an IP address, such as the peer of a Unix socket, is not in the list.
 *
 * @throws VitalsError FSV_ERR_INVALID_OPTION on an entry that is neither an address nor a range
 */
export function toAllowList (entries: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const entry of entries) addEntry(list, entry)
  return (address) => {
    const bare = toBareAddress(address)
    const family = toFamily(bare)
    return family !== undefined && list.check(bare, family)
  }
}

function addEntry (list: BlockList, entry: string): void {
  const [address = '', prefix, ...rest] = entry.split('/')
  const family = toFamily(address)
  if (family === undefined || rest.length > 0) throw invalid(entry)
  if (prefix === undefined) return list.addAddress(address, family)
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity
  if (bits > (family === 'ipv4' ? 32 : 128)) throw invalid(entry)
  list.addSubnet(address, bits, family)
}

function toFamily (address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  if (version === 0 || address.includes('%')) return undefined
  return version === 4 ? 'ipv4' : 'ipv6'
}

function toBareAddress (address: string | undefined): string {
  return address?.split('%', 1)[0] ?? ''
}

function invalid (entry: string): VitalsError {
  return new VitalsError('FSV_ERR_INVALID_OPTION', `${EXPECTATION}, got: ${shown(entry)}`)
}
