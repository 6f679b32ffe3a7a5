// Open sockets of the test's own process: how many there were, and that they are all gone at the end.

// Timers are left out, as the test runner has its own; the fake clock counts those of the code under test.
const watched = new Set(["PipeWrap", "PipeServerWrap", "TCPSocketWrap", "TCPServerWrap", "PipeConnectWrap"]);

/** Sockets, listening sockets and connection attempts that are open now, by kind. */
export function openHandles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => watched.has(name))
    .sort();
}

/**
 * Remembers what is open now.
 *
 * @returns A function that waits until nothing more than that is open. It waits for as long as the test may take, and
 * the error of a test that fails so is its own timeout; `openHandles()` then says what is left.
 */
export function watchHandles(): () => Promise<void> {
  const before = openHandles().length;
  return async () => {
    // A socket that was closed is gone after a few turns of the event loop, on both ends.
    while (openHandles().length > before) await new Promise((resolve) => setImmediate(resolve));
  };
}
