/** What an attribute of OpenTelemetry may be. */
export type AttributeValue = string | number | boolean | readonly (string | null | undefined)[] | readonly (number | null | undefined)[] | readonly (boolean | null | undefined)[]

export type Attributes = Readonly<Record<string, AttributeValue>>

/** A metric as OpenTelemetry names it. */
export interface OtlpIdentity {
  /** `http.server.request.duration`. */
  readonly name: string
  /** In UCUM: `s`, `By`, `1`, `{request}`. @default '' */
  readonly unit?: string
  /** A gauge that is a sum of ups and downs. @default false */
  readonly isUpDown?: boolean
  /** Whether values are whole numbers. @default false */
  readonly isInteger?: boolean
  /** The attributes of a label set. @default the labels under their own names */
  readonly toAttributes?: (names: readonly string[], values: readonly string[]) => Attributes
  /** The family holds once more a part of what another metric counts, with one more label: pushed in place of that part. */
  readonly splits?: { readonly metric: string, readonly label: string }
}

/** Who recorded a metric. */
export interface Scope {
  readonly name: string
  readonly version?: string | undefined
  readonly schemaUrl?: string | undefined
}
