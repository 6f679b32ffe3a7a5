// A row of the matrix whose peer is a server: each case has a process, a relay and a connection of its own.
import { deepEqual } from "node:assert/strict";
import { createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { tempFolder } from "../temp-folder.js";
import type { MatrixPeer } from "./matrix.js";
import { startPeer } from "./peer-process.js";
import type { ServerCase, ServerTraits } from "./server-case.js";
import { serverCases } from "./server-cases.js";
import { openTap, wrongFrames } from "./tap.js";

/** What a row with a server needs beside what its table says. */
export interface ServerPeerOptions extends Omit<MatrixPeer, "role" | "open"> {
  readonly traits: ServerTraits;
  /** What the program is given before the rest. Default nothing. */
  readonly args?: readonly string[];
  /** Cases that this peer goes through otherwise. */
  readonly cases?: Readonly<Record<string, ServerCase>>;
  /** The path of the program; it is started as `PROGRAM ...args server SOCKET`. `undefined` where it cannot be had. */
  program(): Promise<string | undefined>;
}

/** Makes the row of a server. */
export function serverPeer({ traits, args = [], cases = {}, program, ...peer }: ServerPeerOptions): MatrixPeer {
  return {
    ...peer,
    role: "server",
    async open() {
      const path = await program();
      if (path === undefined) return undefined;
      return {
        async run(name) {
          const run = cases[name] ?? serverCases[name];
          if (run === undefined) throw new Error(`no case is named "${name}"`);
          await runServerCase(path, args, traits, run);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

async function runServerCase(
  program: string,
  args: readonly string[],
  traits: ServerTraits,
  run: ServerCase,
): Promise<void> {
  await using folder = await tempFolder();
  const path = folder.file("p.sock");
  await using process = startPeer(program, [...args, "server", path]);
  await process.said("listening");
  await using tap = await openTap(folder.file("t.sock"), path);
  const channel = connect(`unix://${tap.path}`);
  try {
    await run({ process, path, tap, traits, channel, client: createClient(EchoService, channel) });
  } finally {
    await channel.close();
  }
  deepEqual(wrongFrames(tap.sent), []);
  await process[Symbol.asyncDispose]();
  const { code, errors } = await process.exited;
  if (code !== 0) throw new Error(`the server ended with ${code}: ${errors.trim().slice(0, 2000)}`);
}
