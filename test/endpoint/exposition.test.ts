import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { Exposition } from '../../lib/export/exposition.ts'
import { Registry } from '../../lib/series/registry.ts'
import { bearer, get, serve } from './support.ts'

t.test('serves a registry, the same in either coding and to all who ask at a time', async (t) => {
  const registry = new Registry()
  const counter = registry.counter({ name: 'tasks_created_total', help: 'Tasks created.', labels: ['project'] })
  for (let i = 0; i < 1500; i++) counter.inc({ project: `project "${i}" of many\n` }, i)
  const exposition = new Exposition(registry)
  const { url } = await serve(t, { exposition, rateLimit: false })
  for (const accept of ['text/plain', 'application/openmetrics-text']) {
    const text = await exposition.render(accept === 'text/plain' ? 'prometheus' : 'openmetrics')
    t.ok(text.length > 64_000, 'several chunks')
    const scrapes = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const coding = i % 2 === 0 ? 'gzip' : 'identity'
      const { headers, body } = await get(url, { ...bearer, accept, 'accept-encoding': coding })
      return headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
    }))
    t.ok(scrapes.every((scrape) => scrape.equals(Buffer.from(text))), accept)
  }
})
