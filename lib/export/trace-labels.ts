const IDS: Readonly<Record<string, RegExp>> = { trace_id: /^[\da-f]{32}$/i, span_id: /^[\da-f]{16}$/i }

/** Whether a label of an exemplar is the id of its trace or span; every other is an attribute (compatibility specification, "Exemplars"). */
export function isTraceLabel ([name, value]: readonly [string, string]): boolean {
  return IDS[name]?.test(value) ?? false
}
