// Joins a session with the terminal that this program runs in, and gives the terminal back as it was, whatever happens.
import type { Readable, Writable } from "node:stream";
import type { RossExit } from "./run.js";
import type { RossSession } from "./session.js";

/** Where keys come from: `process.stdin`, or anything readable. */
export interface TerminalIn extends Readable {
  readonly isTTY?: boolean;
  readonly isRaw?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** Where output goes: `process.stdout`, or anything writable. */
export interface TerminalOut extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** The two ends of a terminal. */
export interface AttachTerminalOptions {
  /** Read until the session is over; set to raw mode where it is a terminal. */
  readonly stdin: TerminalIn;
  /** Gets all output. Its size is the session's where it is a terminal. */
  readonly stdout: TerminalOut;
  /** Gets standard error where that comes apart, as without a terminal. Default: `stdout`. */
  readonly stderr?: TerminalOut;
}

/**
 * Joins a session with a terminal: keys are sent as they are typed, Ctrl-C too; output is shown; the window's size is
 * followed. At the end, and when anything fails, the terminal is as it was before.
 *
 * @returns How the container ended.
 * @throws {RpcError} why the session failed; the error of a stream that failed.
 *
 * @example
 * const { code } = await attachTerminal(session, { stdin: process.stdin, stdout: process.stdout });
 */
export async function attachTerminal(session: RossSession, options: AttachTerminalOptions): Promise<RossExit> {
  const { stdin, stdout, stderr = stdout } = options;
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  const outputs = new Set([stdout, stderr]);
  const wasRaw = stdin.isRaw === true;
  const wasPaused = stdin.isPaused();
  const restore = (): void => {
    if (stdin.isTTY === true) stdin.setRawMode?.(wasRaw);
  };
  const resized = (): void => {
    const { columns, rows, isTTY } = stdout;
    if (isTTY === true && columns && rows) session.resize({ columns, rows });
  };
  const typed = (data: Uint8Array | string): void => {
    stdin.pause();
    session.stdin.write(data).then(
      () => stdin.resume(),
      // The session is over, and says so itself.
      () => {},
    );
  };
  const ended = (): void => session.stdin.end();
  for (const output of outputs) output.on("error", broken.reject);
  try {
    process.once("exit", restore);
    if (stdin.isTTY === true) stdin.setRawMode?.(true);
    // The size goes before the first key.
    resized();
    stdout.on("resize", resized);
    stdin.on("error", broken.reject).on("end", ended).on("data", typed);
    stdin.resume();
    if (stdin.readableEnded) ended();
    return await Promise.race([show(session, stdout, stderr), broken.promise]);
  } finally {
    process.removeListener("exit", restore);
    stdout.removeListener("resize", resized);
    stdin.removeListener("error", broken.reject).removeListener("end", ended).removeListener("data", typed);
    for (const output of outputs) output.removeListener("error", broken.reject);
    if (wasPaused || stdin.listenerCount("data") === 0) stdin.pause();
    restore();
    await session[Symbol.asyncDispose]();
  }
}

async function show(session: RossSession, stdout: Writable, stderr: Writable): Promise<RossExit> {
  for await (const { stream, data } of session) {
    const output = stream === "stderr" ? stderr : stdout;
    if (!output.write(data)) await drained(output);
  }
  return session.exit;
}

/** Waits for room; an output that closes instead is left to its error. */
function drained(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      output.removeListener("drain", done).removeListener("close", done);
      resolve();
    };
    output.on("drain", done).on("close", done);
  });
}
