// All matrices: which peers go through which cases. A new peer is a row here.
import { peerCases } from "./cases.js";
import { goPeers } from "./go-peers.js";
import type { Matrix } from "./matrix.js";
import { rustPeers } from "./rust-peers.js";

/** The tables of `docs/peers.md`, in its order. */
export const matrices: readonly Matrix[] = [{ title: "ttrpc", cases: peerCases, peers: [...goPeers, ...rustPeers] }];
