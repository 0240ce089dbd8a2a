// Measures: `node run.js [section …]`. Started by index.js, on the Node that is to be measured.
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { missing, peers, versions } from './peers/index.js'
import { table } from './table.js'

const sections = ['record', 'exemplars', 'http', 'off', 'limiter', 'outbound', 'clients', 'scrape', 'block', 'heap', 'otlp', 'push']
const results = new URL('./results.md', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    generations: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '12' },
    scenarios: { type: 'string' },
    peers: { type: 'string', default: Object.keys(peers).join() },
    node: { type: 'string' }
  }
})
const chosen = positionals.length > 0 ? positionals : sections
for (const name of chosen) if (!sections.includes(name)) throw new Error(`a section must be one of ${sections.join(', ')}, got: ${name}`)

const dropped = []
const present = []
for (const name of values.peers.split(',')) {
  const lacks = await missing(peers[name])
  if (lacks === undefined) present.push(name)
  else dropped.push(`${peers[name].title} is left out: ${lacks}, this is ${process.version}.`)
}
for (const line of dropped) console.log(line)

for (const name of chosen) {
  const section = await import(`./sections/${name}.js`)
  const measured = present.filter((peer) => section.uses in peers[peer])
  console.log(`\nMeasuring ${name} …`)
  const rows = await section.measure(measured, { generations: Number(values.generations), rounds: Number(values.rounds), scenarios: values.scenarios?.split(','), log: console.log })
  const text = await report(name, section, rows)
  console.log(`\n${text}`)
  // A Node that was asked for has sections of its own.
  await keep(values.node === undefined ? name : `${name}_node${values.node}`, text)
}

async function report (name, { title, method, columns }, rows) {
  // A row is of a peer, or of what its name says.
  const named = rows.map(([peer, ...cells]) => [[peers[peer]?.title ?? peer, peers[peer]?.note].filter(Boolean).join('; '), ...cells])
  const measured = (await Promise.all(rows.map(([peer]) => versions(peers[peer] ?? peers.vitals)))).flat()
  const [{ version }] = [JSON.parse(await readFile(new URL('./node_modules/fastify/package.json', import.meta.url), 'utf8'))]
  const software = [`Node ${process.versions.node}`, `fastify ${version}`, ...new Set(measured)].join(', ')
  const { generations, rounds } = values
  const where = `${software}; ${availableParallelism()} cores; --generations=${generations} --rounds=${rounds}. Median [quartiles].`
  const heading = values.node === undefined ? title : `${title}, on Node ${values.node}`
  return [`## ${heading}\n`, method + '\n', table([name, ...columns], named), '', where, ...dropped, ''].join('\n')
}

/** Writes the section into results.md, in its place, and leaves the others as they are. */
async function keep (name, text) {
  const before = await readFile(results, 'utf8').catch(() => '')
  const kept = new Map([...before.matchAll(/<!-- (\w+) -->\n([^]*?)(?=<!-- |$)/g)].map(([, key, value]) => [key, value]))
  kept.set(name, text + '\n')
  const all = sections.flatMap((name) => [...kept.keys()].filter((key) => key.split('_')[0] === name)).map((key) => `<!-- ${key} -->\n${kept.get(key)}`)
  await writeFile(results, `# What fastify-vitals costs, next to its peers\n\nWritten by \`npm run bench\`. Ratios within one run; absolute times are of the machine.\n\n${all.join('')}`.trimEnd() + '\n')
}
