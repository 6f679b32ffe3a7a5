// Serves ross.Ross: the liveness probe.
import type { Ross } from "@guestwire/ross";
import type { Handlers } from "@guestwire/rpc";
import { version } from "../version.js";

/** @param healthy Whether the guest can work; it says so until it ends. */
export function createRossService(healthy: () => boolean): Handlers<typeof Ross> {
  return { healthCheck: () => ({ healthy: healthy(), version }) };
}
