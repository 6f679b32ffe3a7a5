// A timer for any time, as those of Node end after 24 days. Keeps no process alive.

const longestMs = 2 ** 31 - 1;

/** Calls back once. @returns Cancels that. */
export function after(ms: number, call: () => void): () => void {
  let left = ms;
  let timer: NodeJS.Timeout;
  const next = (): void => {
    const part = Math.min(left, longestMs);
    left -= part;
    timer = setTimeout(left > 0 ? next : call, part).unref();
  };
  next();
  return () => clearTimeout(timer);
}
