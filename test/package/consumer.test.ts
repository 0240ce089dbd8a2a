import { execFile } from 'node:child_process'
import { access, cp, mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import t from 'tap'

const root = resolve(import.meta.dirname, '../..')
const modules = join(root, 'node_modules')

/** Runs a command without tap's loaders: tap puts them into the NODE_OPTIONS of every child, so `env` takes them out again. */
const run = (cwd: string, ...command: string[]) =>
  promisify(execFile)('env', ['-u', 'NODE_OPTIONS', 'npm_config_loglevel=error', ...command], { cwd, maxBuffer: 2 ** 24 })

/** What a command printed, whether or not it failed: compilers say what is wrong on stdout. */
const output = (cwd: string, ...command: string[]): Promise<string> =>
  run(cwd, ...command).then(({ stdout }) => stdout, error => String(error.stdout) + String(error.stderr))

t.test('the packed tarball in an empty project', async t => {
  const project = await realpath(await mkdtemp(join(tmpdir(), 'fastify-vitals-')))
  t.teardown(() => rm(project, { recursive: true }))
  await cp(join(import.meta.dirname, 'consumer'), project, { recursive: true })
  await writeFile(join(project, 'package.json'), '{ "name": "consumer", "private": true }\n')

  await run(root, 'npm', 'pack', '--silent', '--pack-destination', project)
  const tarball = join(project, (await readdir(project)).find(name => name.endsWith('.tgz'))!)

  // Only what the manifest asks for is there, linked from the repository: no network, and nothing undeclared to lean on.
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const asked = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, '@types/node': '' })
    .filter(name => !manifest.peerDependenciesMeta?.[name]?.optional)
  await run(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', tarball,
    ...asked.map(name => join(modules, name)))
  const installed = join(project, 'node_modules/fastify-vitals')

  t.test('contains the build and the papers, no sources and no tests; the papers\' links lead somewhere', async t => {
    t.same((await readdir(installed)).sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json'])
    const papers = ['README.md', ...(await readdir(join(installed, 'docs'))).map(name => `docs/${name}`)]
    for (const paper of papers) {
      const text = await readFile(join(installed, paper), 'utf8')
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
        // The example, the bench and how to contribute are for readers of the repository.
        const path = join(dirname(paper), target!)
        const place = /^(example-app|bench|CONTRIBUTING\.md)/.test(path) ? root : installed
        await t.resolves(access(join(place, path)), `${paper} links to ${target}`)
      }
    }
    const wrong = (await readdir(join(installed, 'dist'), { recursive: true, encoding: 'utf8' }))
      .filter(name => name.includes('.') && !/\.(js|d\.ts)$/.test(name))
    t.same(wrong, [])
  })

  const expected = {
    names: ['function', 'function', 'function'],
    statuses: [401, 200],
    lines: [
      'http_requests_total{method="GET",endpoint="/users/:id",status="200"} 1',
      'tasks_created_total 3',
    ],
  }
  for (const [name, file] of [['import', 'app.mjs'], ['require()', 'app.cjs']] as const) {
    t.test(`serves metrics to an application that takes it by ${name}, without a warning`, async t => {
      const { stdout, stderr } = await run(project, process.execPath, file)
      t.equal(stderr, '')
      const result = JSON.parse(stdout)
      t.same({ ...result, lines: result.lines.sort() }, expected)
    })
  }

  t.test('says what to install where the exporter for a push is not there', async t => {
    const { stdout, stderr } = await run(project, process.execPath, 'without-exporter.mjs')
    t.equal(stderr, '')
    t.same(JSON.parse(stdout), [['http/protobuf', 'proto'], ['http/json', 'http'], ['grpc', 'grpc']].map(([protocol, end]) => ({
      name: 'VitalsError',
      code: 'FSV_ERR_MISSING_PACKAGE',
      message: `Pushing metrics by OTLP over ${protocol} (otlp: false leaves it off) needs the package @opentelemetry/exporter-metrics-otlp-${end}, which could not be loaded: npm install @opentelemetry/exporter-metrics-otlp-${end}`
    })))
  })

  // The fastest compiler also checks the declarations themselves, Fastify's among them.
  const compilers = [['5.9', 'typescript-5.9', 'true'], ['6', 'typescript', 'true'], ['7', 'typescript-7', 'false']] as const
  for (const [version, folder, skipLibCheck] of compilers) {
    t.test(`gives TypeScript ${version} its types, by import and by require()`, async t => {
      const compiler = join(modules, folder, 'bin/tsc')
      t.match(await output(project, process.execPath, compiler, '--version'), `Version ${version}.`)
      t.equal(await output(project, process.execPath, compiler, '-p', '.', '--skipLibCheck', skipLibCheck), '')
    })
  }

  t.test('satisfies publint', async t => {
    const { buffer, byteOffset, byteLength } = await readFile(tarball)
    const pack = { tarball: buffer.slice(byteOffset, byteOffset + byteLength) }
    const { messages } = await publint({ pack, strict: true })
    t.same(messages, [])
  })

  t.test('satisfies arethetypeswrong', async t => {
    // The one rule left out says that require() cannot load ESM: Node 20.19 and later can, as shown above.
    const attw = join(modules, '@arethetypeswrong/cli/dist/index.js')
    t.match(await output(project, process.execPath, attw, '--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji', tarball),
      'No problems found')
  })
})

t.test('the lockfile holds no registry address', async t => {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  t.same(Object.keys(packages).filter(name => packages[name].resolved !== undefined), [])
})
