import { readFile } from 'node:fs/promises'
import { fastifyMetrics } from './fastify-metrics.js'
import { floor } from './floor.js'
import { otel } from './otel.js'
import { promClientPeer } from './prom-client.js'
import { vitals } from './vitals.js'

/** Nothing added: what server cost is divided by. `bare again` is a second process of the same, to show the noise. */
const bare = { title: 'bare Fastify', packages: [], async addTo () {} }

export const peers = {
  bare,
  'bare-again': { ...bare, title: 'bare Fastify again (the noise)' },
  'fastify-metrics': fastifyMetrics,
  otel,
  'prom-client': promClientPeer({ title: 'prom-client 15 by hand', packageName: 'prom-client' }),
  'prometheus-io': promClientPeer({ title: '@prometheus-io/client by hand', packageName: '@prometheus-io/client' }),
  floor,
  vitals
}

/** What each peer needs and this Node lacks, as text; nothing for a peer that runs. */
export async function missing (peer) {
  for (const name of peer.packages) {
    const manifest = await manifestOf(name)
    const lowest = lowestNode(manifest.engines?.node)
    if (compare(process.versions.node, lowest) < 0) return `${name} ${manifest.version} needs Node ${manifest.engines.node}`
  }
}

export async function versions (peer) {
  const manifests = await Promise.all(peer.packages.map(manifestOf))
  return manifests.map(({ name, version }) => `${name} ${version}`)
}

async function manifestOf (name) {
  return JSON.parse(await readFile(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'))
}

function lowestNode (range = '0') {
  const [first] = range.split('||')
  return first.replaceAll(/[^\d.]/g, '')
}

function compare (a, b) {
  return a.localeCompare(b, 'en', { numeric: true })
}
