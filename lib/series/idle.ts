/** The one series of a store that does not record: every way to record is there and does nothing. */
class IdleSeries {
  inc (): void {}
  dec (): void {}
  set (): void {}
  observe (): void {}
  raise (): this { return this }
  lower (): void {}
}

export const IDLE_SERIES: unknown = Object.freeze(new IdleSeries())
