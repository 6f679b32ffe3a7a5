// Rust's ttrpc by its async API and by its blocking one, which has unary calls only.
import { deepEqual, equal, ok } from "node:assert/strict";
import { Code, createPushStream } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { rustProgram } from "../rust-tools.js";
import { clientPeer } from "./client-peer.js";
import type { MatrixPeer } from "./matrix.js";
import { failure, type ServerCase, type ServerTraits, works } from "./server-case.js";
import { serverPeer } from "./server-peer.js";

const version = "0.10.0";
const program = (): Promise<string | undefined> => rustProgram("ttrpc");

const traits: ServerTraits = {
  streams: true,
  unknownService: Code.InvalidArgument,
  unknownMethod: Code.Unimplemented,
  requestAbove: Code.InvalidArgument,
  replyAbove: Code.InvalidArgument,
  shutdownCuts: false,
  lateDataCrashes: false,
};

const above = "What is over the limit is refused with InvalidArgument; that call alone fails.";
const unread = "The client keeps all that comes for a stream that nobody reads, without a bound.";
const noGo = "The service is Go's own.";

const streams = ["server_stream", "client_stream", "bidi", "empty_stream", "stream_error", "early_end"];
const unaryOnly = Object.fromEntries(
  [...streams, "cancel_stream", "unread", "reply_above", "integration"].map((name) => [
    name,
    "The blocking API has unary calls only.",
  ]),
);

/** Where the async server does otherwise. */
const asyncCases: Readonly<Record<string, ServerCase>> = {
  // Each message that is late is answered with an error on the call's own id, before the call's status.
  async early_end(peer) {
    for (const late of [0, 50]) {
      const requests = createPushStream<{ text: string }>({ highWaterMark: 100 });
      const responses = peer.client.chat(requests);
      for (const text of ["a", "refuse", ...Array.from({ length: late }, () => "late")]) void requests.push({ text });
      equal((await responses.next()).value?.text, "a");
      const { code } = await failure(responses.next());
      ok(code === Code.Aborted || (late > 0 && code === Code.InvalidArgument), `it ended with ${code}`);
    }
    await works(peer);
  },
};

/** Where the blocking server does otherwise. */
const blockingCases: Readonly<Record<string, ServerCase>> = {
  // Nobody tells the handler: it is let go with the connection.
  async deadline(peer) {
    equal((await failure(peer.client.hang({}, { timeoutMs: 50 }))).code, Code.DeadlineExceeded);
    await works(peer);
    await peer.channel.close();
    await peer.process.said("let go");
  },
  // The handler is told and its answer still goes out. The socket goes on listening with nobody behind it.
  async shutdown(peer) {
    const running = failure(peer.client.hang({}));
    await peer.process.said("hanging");
    peer.process.tell("shutdown");
    deepEqual(await running.then(({ code, rawMessage }) => [code, rawMessage]), [Code.Canceled, "the client is gone"]);
    await peer.process.said("shut down");
    await using late = connect(`unix://${peer.path}`);
    const lost = await failure(late.unary(EchoService.method.echo, {}, { timeoutMs: 200 }));
    equal(lost.code, Code.DeadlineExceeded);
  },
};

/** The rows. */
export const rustPeers: readonly MatrixPeer[] = [
  serverPeer({
    name: "Rust ttrpc",
    version: `${version} async`,
    args: ["async"],
    traits,
    without: { integration: noGo },
    deviations: {
      unknown: "No such service is InvalidArgument, no such method Unimplemented.",
      size_above: above,
      reply_above: above,
      cancel_stream:
        "The server cannot be told that a stream of responses is left: its handler goes on, and what it sends is dropped.",
      early_end:
        "The server answers what came too late with InvalidArgument on the same id, which may be ahead of the status.",
    },
    cases: asyncCases,
    program,
  }),
  serverPeer({
    name: "Rust ttrpc",
    version: `${version} sync`,
    args: ["sync"],
    traits: { ...traits, streams: false, unknownMethod: Code.InvalidArgument },
    without: { ...unaryOnly, probe: "The blocking server answers nothing but requests." },
    deviations: {
      unknown: "Neither is told apart: both are InvalidArgument.",
      size_above: above,
      deadline: "The server does not keep the deadline: our client does, and the handler goes on.",
      shutdown: "Handlers that run are told at once; the socket goes on listening with nobody behind it.",
    },
    cases: blockingCases,
    program,
  }),
  clientPeer({
    name: "Rust ttrpc",
    version: `${version} async`,
    args: ["async"],
    without: { probe: "A client sends no probe.", integration: noGo },
    deviations: {
      size_above: "The client refuses to send it, and has no code for that.",
      cancel_stream: "The client tells the server nothing: its handler goes on.",
      unread,
    },
    program,
  }),
  clientPeer({
    name: "Rust ttrpc",
    version: `${version} sync`,
    args: ["sync"],
    without: {
      ...unaryOnly,
      probe: "A client sends no probe.",
      cancel_unary: "The blocking API gives a call up by its timeout only.",
    },
    deviations: {
      size_above: "The client refuses to send it, and has no code for that.",
      shutdown: "A call on a connection whose server has ended its side is not failed: it waits for its timeout.",
    },
    program,
  }),
];
