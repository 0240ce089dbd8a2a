// The JSON schemas that several routes share.
import { statuses } from './database.ts'

export const slug = { type: 'string', pattern: '^[a-z0-9-]{1,40}$' } as const
export const name = { type: 'string', minLength: 1, maxLength: 100 } as const
export const title = { type: 'string', minLength: 1, maxLength: 200 } as const
export const status = { type: 'string', enum: statuses } as const
const time = { type: 'string', format: 'date-time' } as const

export const named = {
  type: 'object',
  required: ['slug', 'name'],
  additionalProperties: false,
  properties: { slug, name },
} as const

export const namedAnswer = {
  type: 'object',
  properties: { slug, name, createdAt: time },
} as const

export const task = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    organization: slug,
    project: slug,
    title,
    status,
    createdAt: time,
    completedAt: { ...time, nullable: true },
  },
} as const

export const organizationParams = { type: 'object', properties: { organization: slug } } as const
export const projectParams = { type: 'object', properties: { organization: slug, project: slug } } as const
export const taskParams = {
  type: 'object',
  properties: { organization: slug, project: slug, task: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } },
} as const

export interface OrganizationParams { organization: string }
export interface ProjectParams extends OrganizationParams { project: string }
export interface TaskParams extends ProjectParams { task: number }
export interface Named { slug: string, name: string }
