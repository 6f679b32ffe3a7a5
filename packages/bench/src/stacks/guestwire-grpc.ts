// Guestwire over gRPC.
import { connect, serve } from "@guestwire/grpc";
import type { Stack } from "../stack.js";
import { guestwireStack } from "./guestwire.js";

/** @guestwire/grpc. */
export const guestwireGrpc: Stack = guestwireStack({ connect, serve });
