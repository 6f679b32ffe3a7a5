// All targets, in the order in which they are run.
import type { FuzzTarget } from "./target.js";
import { arcboxError, arcboxFrame } from "./targets/arcbox.js";
import { clientSession } from "./targets/client-session.js";
import { codec } from "./targets/codec.js";
import { control } from "./targets/control.js";
import { requestEnvelope, responseEnvelope, status } from "./targets/envelopes.js";
import { frame } from "./targets/frame.js";
import { frameReader } from "./targets/frame-reader.js";
import { hybridHandshake, hybridLine } from "./targets/hybrid.js";
import { serverSession } from "./targets/server-session.js";
import { address, metadata } from "./targets/text.js";

/** Every target. */
export const fuzzTargets: readonly FuzzTarget[] = [
  frame,
  frameReader,
  requestEnvelope,
  responseEnvelope,
  status,
  control,
  codec,
  metadata,
  address,
  hybridLine,
  hybridHandshake,
  arcboxFrame,
  arcboxError,
  serverSession,
  clientSession,
];
