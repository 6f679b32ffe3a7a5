// Go's ttrpc, in the versions that are around: the newest; one from before the streaming fixes of 1.2.5 to 1.2.9, as
// containerd 1.7 and 2.0 have it; and 1.1, which had unary calls only.
import { Code } from "@guestwire/rpc";
import { goProgram } from "../go-tools.js";
import { clientPeer } from "./client-peer.js";
import type { MatrixPeer } from "./matrix.js";
import type { ServerTraits } from "./server-case.js";
import { serverPeer } from "./server-peer.js";

const traits: ServerTraits = {
  streams: true,
  unknownService: Code.Unimplemented,
  unknownMethod: Code.Unimplemented,
  requestAbove: Code.ResourceExhausted,
  replyAbove: "closes",
  shutdownCuts: true,
  lateDataCrashes: false,
};

const closes = "The server closes the connection, with all calls on it, when one answer is too large.";
const cuts =
  "A gentle shutdown cuts a running call: the connection counts as idle until something else is answered on it.";
const noProbe = "A client sends no probe.";

const streams = ["server_stream", "client_stream", "bidi", "empty_stream", "stream_error", "early_end"];
const streaming = [...streams, "cancel_stream", "unread", "reply_above", "integration"];
const unaryOnly = Object.fromEntries(streaming.map((name) => [name, "Version 1.1 has unary calls only."]));

/** The rows. */
export const goPeers: readonly MatrixPeer[] = [
  serverPeer({
    name: "Go ttrpc",
    version: "1.2.10",
    traits,
    deviations: { reply_above: closes, shutdown: cuts },
    program: () => goProgram("ttrpc-peer"),
  }),
  serverPeer({
    name: "Go ttrpc",
    version: "1.2.4",
    traits: { ...traits, replyAbove: Code.ResourceExhausted, lateDataCrashes: true },
    deviations: {
      reply_above: "Before 1.2.6 the server sends the frame that is too large; ours fails that call alone.",
      shutdown: cuts,
      early_end:
        "Before 1.2.8 the server's process ends on data for a stream that it has ended; that is tried with raw frames only.",
    },
    program: () => goProgram("ttrpc-peer", { modfile: "ttrpc-1.2.4.mod" }),
  }),
  serverPeer({
    name: "Go ttrpc",
    version: "1.1.2",
    traits: { ...traits, streams: false, shutdownCuts: false },
    without: { ...unaryOnly, probe: "Version 1.1 answers nothing but requests." },
    program: () => goProgram(".", { module: "go-ttrpc-1.1" }),
  }),
  clientPeer({
    name: "Go ttrpc",
    version: "1.2.10",
    without: { probe: noProbe },
    program: () => goProgram("ttrpc-peer"),
  }),
  clientPeer({
    name: "Go ttrpc",
    version: "1.2.4",
    without: { probe: noProbe },
    deviations: {
      unread:
        "Before 1.2.9 the client reads nothing more on a connection with a stream that nobody reads; a new one works.",
    },
    renamed: { unread: "unread_stuck" },
    program: () => goProgram("ttrpc-peer", { modfile: "ttrpc-1.2.4.mod" }),
  }),
  clientPeer({
    name: "Go ttrpc",
    version: "1.1.2",
    without: { ...unaryOnly, probe: noProbe },
    program: () => goProgram(".", { module: "go-ttrpc-1.1" }),
  }),
];
