import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

// Coverage counts only the files that some test loads, so one test loads them all.
t.test('every file of lib can be imported by itself', async t => {
  const lib = resolve(import.meta.dirname, '../lib')
  for (const name of readdirSync(lib, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.ts')) await t.resolves(import(pathToFileURL(resolve(lib, name)).href), name)
  }
})
