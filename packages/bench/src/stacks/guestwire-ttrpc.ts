// Guestwire over ttrpc.
import { connect, serve } from "@guestwire/ttrpc";
import type { Stack } from "../stack.js";
import { guestwireStack } from "./guestwire.js";

/** @guestwire/ttrpc. */
export const guestwireTtrpc: Stack = guestwireStack({ connect, serve }, Number.POSITIVE_INFINITY);
