export const number = (value, digits) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** `median [lower quartile, upper quartile]`. */
export function cell ({ median, low, high }, digits) {
  return `${number(median, digits)} [${number(low, digits)}, ${number(high, digits)}]`
}

/** A Markdown table whose columns line up. */
export function table (header, rows) {
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)))
  const line = (row) => `| ${row.map((text, i) => text.padEnd(widths[i])).join(' | ')} |`
  return [line(header), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n')
}
