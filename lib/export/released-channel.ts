import type { GrpcCall, GrpcClient, Subchannel, SubchannelPool } from './exporter-insides.ts'
import { openTunnel, releaseTunnel } from './grpc-tunnels.ts'
import { yieldPush } from './lone-pushes.ts'

/**
 * Has the channel of a gRPC client keep no process alive while a call is under way. Its connections become its own: those of other clients
 * to the same receiver hold what they held. Where the library is not as expected, it holds the process as before.
 */
export function releaseChannel (client: GrpcClient): void {
  const channel = client.getChannel?.().internalChannel
  if (typeof channel?.callRefTimerRef !== 'function' || typeof channel.subchannelPool?.getOrCreateSubchannel !== 'function') return
  const pool = new (channel.subchannelPool.constructor as new () => SubchannelPool)()
  const create = pool.getOrCreateSubchannel.bind(pool)
  const known = new WeakSet<Subchannel>()
  pool.getOrCreateSubchannel = (...args) => {
    const subchannel = create(...args)
    if (!known.has(subchannel)) releaseConnections(subchannel)
    known.add(subchannel)
    return subchannel
  }
  channel.subchannelPool = pool
  channel.callRefTimerRef = () => {}
}

/** The same for the limit in time of a call. */
export function releaseCall ({ call }: GrpcCall): void {
  call?.call?.deadlineTimer?.unref()
}

function releaseConnections ({ connector, secureConnector }: Subchannel): void {
  if (typeof connector?.connect !== 'function' || typeof connector.tcpConnect !== 'function' || typeof secureConnector?.connect !== 'function') return
  const connect = connector.connect.bind(connector)
  const connectTcp = connector.tcpConnect.bind(connector)
  const secure = secureConnector.connect.bind(secureConnector)
  secureConnector.connect = async socket => await secure(socket.unref())
  connector.tcpConnect = async (address, ...args) => {
    const giveUp = new AbortController()
    // The library hands the address to node:net as its options, but for a proxy.
    const { connecting, request } = openTunnel(() => connectTcp({ ...address, signal: giveUp.signal }, ...args))
    const done = request === undefined ? yieldPush(() => giveUp.abort(), { isReferenced: true }) : releaseTunnel(request)
    return await connecting.finally(done)
  }
  connector.connect = async (...args) => {
    const transport = await connect(...args)
    // Only the library asks for it, as often as calls begin.
    if (transport.session !== undefined) transport.session.ref = () => {}
    return transport
  }
}
