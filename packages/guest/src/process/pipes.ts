// Real pipes for the standard streams of a child. Node's own are socket pairs, on which `echo x > /dev/stderr` fails in
// the child, and named ones stand still when opened too late. Opens descriptors only; reading and writing are the
// caller's.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, constants, fchownSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { stdioOf } from "./inherited.js";
import type { RunAs } from "./run-as.js";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** The descriptors of three pipes. */
export interface Pipes {
  /** The child's ends, by its descriptor numbers: read, write, write. */
  readonly child: readonly [stdin: number, stdout: number, stderr: number];
  /** This process's ends: write, read, read. -1 for stdin where the child reads nothing. */
  readonly ours: readonly [stdin: number, stdout: number, stderr: number];
}

// A shell is the one thing on every host that makes pipes. The innermost of these holds three, as 3, 4 and 5, tells its
// process id and waits; through /proc both ends of each can be opened. It ends when its own input does.
const script =
  "exec 6<&0; : | { exec 3<&0; : | { exec 4<&0; : | { exec 5<&0; exec sh -c 'echo $$; read -r end' <&6; }; }; }";

/**
 * Opens the pipes. The child's ends must be closed with {@link closeAll} once it runs.
 *
 * @param withStdin Whether the child gets something to read. Otherwise it reads nothing but the end.
 * @param owner Who may open the child's ends anew (`/dev/stdout`), where that is somebody else.
 */
export async function openPipes(withStdin: boolean, owner?: RunAs): Promise<Pipes> {
  const maker = spawn("/bin/sh", ["-c", script], {
    stdio: stdioOf(["pipe", "pipe", "ignore"]),
    detached: true,
  }) as ChildProcessByStdio<Writable, Readable, null>;
  const ended = new Promise<void>((resolve, reject) => {
    maker.once("error", reject);
    maker.once("close", resolve);
  });
  // Where no descriptor is left there are no streams, whatever the types say; the error comes in a moment.
  if ((maker.stdin as Writable | undefined) === undefined) await ended;
  maker.stdin.on("error", () => {});
  const opened: number[] = [];
  try {
    const holder = await Promise.race([firstLine(maker.stdout), ended.then(() => undefined)]);
    if (holder === undefined) throw new Error("/bin/sh made no pipes");
    const open = (path: string, flags: number): number => {
      const fd = openSync(path, flags);
      opened.push(fd);
      return fd;
    };
    // Our ends must not block, the child's must.
    const [stdin, stdout, stderr] = [3, 4, 5].map((fd) => `/proc/${holder}/fd/${fd}`) as [string, string, string];
    const pipes: Pipes = {
      child: [open(withStdin ? stdin : "/dev/null", O_RDONLY), open(stdout, O_WRONLY), open(stderr, O_WRONLY)],
      ours: [
        withStdin ? open(stdin, O_WRONLY | O_NONBLOCK) : -1,
        open(stdout, O_RDONLY | O_NONBLOCK),
        open(stderr, O_RDONLY | O_NONBLOCK),
      ],
    };
    if (owner !== undefined)
      for (const fd of pipes.child.slice(withStdin ? 0 : 1)) fchownSync(fd, owner.uid, owner.gid);
    return pipes;
  } catch (error) {
    closeAll(opened);
    throw error;
  } finally {
    maker.stdin.end();
    await ended.catch(() => {});
  }
}

/** Closes descriptors; -1 is none. */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) if (fd >= 0) closeSync(fd);
}

async function firstLine(stream: AsyncIterable<Buffer>): Promise<string | undefined> {
  let text = "";
  for await (const data of stream) {
    text += data.toString("latin1");
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  return undefined;
}
