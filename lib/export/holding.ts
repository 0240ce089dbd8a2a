/** The longest that a timer takes, in ms. */
const LONGEST_MS = 2 ** 31 - 1

/** Keeps the process alive until some work has ended: nothing that pushes does so by itself. */
export async function holding<T> (work: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, LONGEST_MS)
  try {
    return await work
  } finally {
    clearInterval(hold)
  }
}
