// A guest whose raw streams are reached over a unix socket and through a hybrid vsock, and processes on such streams.
import { createHash, type Hash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@guestwire/rpc";
import { type DialPolicy, spinboxStreamDial } from "@guestwire/rpc/transport";
import { createStreamIds, openStream, type RawStream } from "@guestwire/stdio/streams";
import { Task } from "@guestwire/types/task/v3";
import { hybridProxy } from "@guestwire/vsock";
import { execSpec, type TestGuest, testGuest } from "../guest.test.support.js";

// A machine may stand still for longer than spinbox waits.
const policy: DialPolicy = { ...spinboxStreamDial, timeoutMs: 0, attempt: { initialMs: 60_000, maxMs: 60_000 } };

/** The ways to the streams. */
export const ways = ["unix", "hvsock"] as const;

/** A process on raw streams, as its host sees it. */
export interface Streamed {
  readonly execId: string;
  readonly stdin: RawStream<Socket>;
  readonly stdout: RawStream<Socket>;
  readonly stderr: RawStream<Socket>;
  /** Its exit status, once it is announced. */
  readonly exit: Promise<number>;
}

/** The guest, with one container that lives on. */
export interface StreamingGuest extends AsyncDisposable {
  readonly guest: TestGuest;
  readonly tasks: Client<typeof Task>;
  /** The container. */
  readonly id: string;
  /** Opens a stream. */
  open(way?: (typeof ways)[number], id?: number): Promise<RawStream<Socket>>;
  /** Runs a command in the container, on three streams of its own. */
  run(args: readonly string[], way?: (typeof ways)[number]): Promise<Streamed>;
}

/** Opens one. */
export async function streamingGuest(): Promise<StreamingGuest> {
  const folder = await mkdtemp(join(tmpdir(), "gw-streams-"));
  const guest = await testGuest();
  const path = join(folder, "streams.sock");
  const unix = await guest.guest.streams.listen(`unix://${path}`);
  const proxy = await hybridProxy({ path: join(folder, "vm.sock"), connect: () => createConnection(path) });
  const addresses = { unix, hvsock: `hvsock://${proxy.path}:1026` };
  const ids = createStreamIds();
  const tasks = guest.client(Task);
  const id = "host";
  await guest.container(id, ["sleep", "1000"]);
  await tasks.start({ id });
  let execs = 0;
  const open: StreamingGuest["open"] = (way = "unix", id) =>
    openStream(addresses[way], { id: id ?? ids, policy, timeoutMs: 0 });
  return {
    guest,
    tasks,
    id,
    open,
    async run(args, way) {
      const execId = `exec-${++execs}`;
      const [stdin, stdout, stderr] = await Promise.all([open(way), open(way), open(way)]);
      const urls = { stdin: stdin.url, stdout: stdout.url, stderr: stderr.url };
      await tasks.exec({ id, execId, spec: execSpec(args), ...urls });
      await tasks.start({ id, execId });
      const exit = tasks.wait({ id, execId }).then(({ exitStatus }) => exitStatus);
      return { execId, stdin, stdout, stderr, exit };
    },
    async [Symbol.asyncDispose]() {
      await guest[Symbol.asyncDispose]();
      await proxy.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** All text that comes until the other side ends. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const data of stream) parts.push(data);
  return Buffer.concat(parts).toString();
}

/** Counts and sums what comes until the other side ends. */
export async function sumOf(stream: AsyncIterable<Uint8Array>): Promise<{ size: number; sum: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const data of stream) {
    size += data.length;
    hash.update(data);
  }
  return { size, sum: hash.digest("hex") };
}

/** Bytes that differ from piece to piece. @param hash Is given them too. */
export function* bytes(total: number, hash?: Hash): Generator<Buffer> {
  for (let at = 0; at < total; at += 65_536) {
    const piece = Buffer.alloc(Math.min(65_536, total - at), `piece ${at} `);
    hash?.update(piece);
    yield piece;
  }
}

/** Resolves when a stream is closed, whichever way. */
export function closed(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    stream.on("error", () => {});
    if (stream.closed) resolve();
    else stream.once("close", () => resolve()).resume();
  });
}
