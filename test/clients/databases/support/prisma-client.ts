import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'

const modules = resolve(import.meta.dirname, '../../../../node_modules')

const SCHEMA = `
generator client {
  provider = "prisma-client-js"
  output   = "./generated"
}
datasource db {
  provider = "postgresql"
}
`

const TASK = `
model Task {
  id    Int    @id
  title String @unique
}
`

export interface GeneratedClient {
  PrismaClient: new (options: object) => PrismaClient
  Prisma: { sql (strings: TemplateStringsArray, ...values: unknown[]): object }
}

/** What the tests use of the generated client. */
export interface PrismaClient {
  task: Record<'create' | 'createMany' | 'findFirst' | 'findMany' | 'findUnique' | 'findUniqueOrThrow' | 'update' | 'deleteMany' | 'count', (args?: object) => Promise<any>>
  $transaction (work: unknown, options?: object): Promise<any>
  $queryRaw (query: TemplateStringsArray | object, ...values: unknown[]): Promise<any>
  $queryRawUnsafe (query: string, ...values: unknown[]): Promise<any>
  $executeRaw (query: TemplateStringsArray | object, ...values: unknown[]): Promise<number>
  $executeRawUnsafe (query: string, ...values: unknown[]): Promise<number>
  $disconnect (): Promise<void>
  $extends (extension: object): PrismaClient
}

/** Generates a client for some models and loads it. */
export function generatePrisma (t: Test, models: string = TASK): GeneratedClient {
  return createRequire(join(writePrisma(t, models), 'package.json'))('./generated') as GeneratedClient
}

/**
 * Generates a client into folder `generated` of a folder of the test's own, which it returns. Generating needs no schema engine, but Prisma fetches one
 * where none is named.
 */
export function writePrisma (t: Pick<Test, 'teardown'>, models: string = TASK): string {
  const folder = mkdtempSync(join(tmpdir(), 'vitals-prisma-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  symlinkSync(modules, join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{}')
  writeFileSync(join(folder, 'schema.prisma'), SCHEMA + models)
  const engine = join(folder, 'no-engine')
  writeFileSync(engine, '#!/bin/sh\nexit 1\n')
  chmodSync(engine, 0o755)
  const { NODE_OPTIONS: _, ...env } = process.env
  execFileSync(process.execPath, [join(modules, 'prisma/build/index.js'), 'generate', '--schema', 'schema.prisma'], {
    cwd: folder,
    env: { ...env, PRISMA_SCHEMA_ENGINE_BINARY: engine, PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' },
    stdio: 'pipe'
  })
  return folder
}
