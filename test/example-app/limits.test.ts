import t from 'tap'
import { parseSamples } from '../support/samples.ts'
import { startRedis } from '../support/redis-server.ts'
import { Clone, until } from './example.ts'

// Three starts, each with a database of its own.
t.setTimeout(300_000)

const clone = await Clone.make()
t.teardown(() => clone.remove())

const token = 'a-token'
const right = { user: 'ann', password: 'demo' }
const wrong = { user: 'ann', password: 'guess' }

async function login (origin: string, body: object): Promise<number> {
  const { status } = await fetch(`${origin}/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return status
}

async function search (origin: string): Promise<number> {
  const { status } = await fetch(`${origin}/organizations/nobody/search?text=cure`)
  return status
}

/** The rate-limiter set of a service, without the metrics' own endpoint. */
function seriesOf (origin: string): Promise<Record<string, number>> {
  return samplesOf(origin, /^rate_limit_.*(total|_count)$/)
}

/** Metrics of a service by name and labels. */
async function samplesOf (origin: string, names: RegExp): Promise<Record<string, number>> {
  const response = await fetch(`${origin}/v1/metrics`, { headers: { authorization: `Bearer ${token}` } })
  const samples = parseSamples(await response.text()).filter(({ name, labels: { endpoint } }) => names.test(name) && endpoint !== '/v1/metrics')
  return Object.fromEntries(samples.map(({ name, labels, value }) => [[name, ...Object.entries(labels).sort().map(([key, label]) => `${key}=${label}`)].join(' '), value]))
}

t.test('logins and searches are limited in memory, and the series say what clients saw', async (t) => {
  const example = clone.start([], { METRICS_AUTH_TOKEN: token })
  const origin = await example.origin()
  const logins = []
  for (const body of [wrong, wrong, right, wrong, wrong, right]) logins.push(await login(origin, body))
  t.strictSame(logins, [401, 401, 200, 401, 401, 429], 'guesses count, right or wrong')
  const searches = await Promise.all(Array.from({ length: 32 }, () => search(origin)))
  t.strictSame(searches.sort(), [...Array(30).fill(200), 429, 429])
  t.match(await seriesOf(origin), {
    'rate_limit_requests_total algorithm=fixed-window authenticated=false endpoint=/login': 6,
    'rate_limit_allowed_total endpoint=/login group=login': 5,
    'rate_limit_rejected_total endpoint=/login group=login reason=exceeded': 1,
    'rate_limit_allowed_total endpoint=/organizations/:organization/search group=search': 30,
    'rate_limit_rejected_total endpoint=/organizations/:organization/search group=search reason=exceeded': 2,
    'rate_limit_remaining_count endpoint=/login': 6,
    'rate_limit_quota_usage_ratio_count endpoint=/login': 6,
    'rate_limit_check_duration_seconds_count authenticated=false endpoint=/login': 6
  })
  example.press()
  t.equal(await example.ended, 0)
  t.strictSame(await clone.leftovers(), [])
})

t.test('with REDIS_URL, processes share their limits, and go on without Redis', async (t) => {
  const redis = await startRedis(t)
  const examples = [1, 2].map(() => clone.start([], { METRICS_AUTH_TOKEN: token, REDIS_URL: `redis://127.0.0.1:${redis.port}` }))
  const [first, second] = await Promise.all(examples.map((example) => example.origin())) as [string, string]
  t.strictSame([await login(first, right), await login(first, wrong), await login(first, right)], [200, 401, 200])
  t.strictSame([await login(second, right), await login(second, right), await login(second, right)], [200, 200, 429])
  t.equal(await login(first, right), 429)
  t.match(await seriesOf(second), {
    'rate_limit_allowed_total endpoint=/login group=login': 2,
    'rate_limit_rejected_total endpoint=/login group=login reason=exceeded': 1,
    'rate_limit_store_duration_seconds_count operation=incr store=redis': 3
  })

  const organization = { slug: 'umbrella', name: 'Umbrella' }
  await fetch(`${first}/organizations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(organization) })
  for (const look of [1, 2]) t.match(await (await fetch(`${first}/organizations/umbrella`)).json(), organization, `look ${look}`)
  t.match(await samplesOf(first, /^(cache_operations_total|health_dependency_status)$/), {
    'cache_operations_total cache_type=organizations operation=get status=miss': 1,
    'cache_operations_total cache_type=organizations operation=set status=success': 1,
    'cache_operations_total cache_type=organizations operation=get status=hit': 1,
    'health_dependency_status dependency=organizations': 1
  })

  await redis.kill()
  t.equal((await fetch(`${first}/organizations/umbrella`)).status, 200, 'without its cache it asks the database')
  await until(async () => await login(second, right) === 200)
  const series = await seriesOf(second)
  const failed = Object.entries(series).filter(([name]) => name.startsWith('rate_limit_errors_total endpoint=/login')).reduce((sum, [, value]) => sum + value, 0)
  t.ok(failed > 0, 'a check without Redis is an error, and the login passes')
  t.equal(series['rate_limit_requests_total algorithm=fixed-window authenticated=false endpoint=/login'], 3 + failed)

  for (const example of examples) example.press()
  t.strictSame(await Promise.all(examples.map((example) => example.ended)), [0, 0])
  t.strictSame(await clone.leftovers(), [])
})
