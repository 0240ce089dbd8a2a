import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import type { GrpcCall, GrpcClient, GrpcSession, Subchannel, SubchannelPool } from './exporter-insides.ts'
import { openTunnel, releaseTunnel } from './grpc-tunnels.ts'
import { yieldPush } from './lone-pushes.ts'

const { NGHTTP2_CANCEL } = constants

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
  /** It makes one connection at a time. */
  let last: Socket | undefined
  connector.tcpConnect = async (address, ...args) => {
    const giveUp = new AbortController()
    // The library hands the address to node:net as its options, but for a proxy.
    const open = (): Promise<Socket> => connectTcp({ ...address, signal: giveUp.signal }, ...args)
    const isProxied = Object.hasOwn(Object(args[0]) as object, 'grpc.http_connect_target')
    const { connecting, request } = isProxied ? openTunnel(open) : { connecting: open(), request: undefined }
    const done = request === undefined ? yieldPush(() => giveUp.abort(), { isReferenced: true }) : releaseTunnel(request)
    last = await connecting.finally(done)
    return last
  }
  connector.connect = async (...args) => {
    const transport = await connect(...args)
    if (transport.session !== undefined && last !== undefined) releaseSession(transport.session, last)
    return transport
  }
}

/** Bytes that are not taken hold the process: nothing but the end of the connection takes them back, also where their call is cancelled. */
function releaseSession (session: GrpcSession, socket: Socket): void {
  const request = session.request.bind(session)
  // Only the library asks for it, as often as calls begin.
  session.ref = () => {}
  session.request = (...args) => {
    const stream = request(...args)
    const done = yieldPush(() => socket.destroy())
    const close = stream.close.bind(stream)
    stream.close = (code, ...rest) => {
      close(code, ...rest)
      if (code === NGHTTP2_CANCEL) socket.destroy()
    }
    return stream.once('close', done)
  }
}
