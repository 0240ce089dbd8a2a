/** The longest that a timer takes, in ms. */
const LONGEST_MS = 2 ** 31 - 1

/** Keeps the process alive until some work has ended that somebody waits for: nothing that reads or pushes the store does so by itself. */
export async function holding<T> (work: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, LONGEST_MS)
  try {
    return await work
  } finally {
    clearInterval(hold)
  }
}
