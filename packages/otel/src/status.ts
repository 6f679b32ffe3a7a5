// How a call's code is written in telemetry, and which codes are a server's fault.
import { Code, codeName } from "@guestwire/rpc";

/** OK, or an error's code. */
export type StatusCode = 0 | Code;

const names: readonly string[] = Array.from({ length: 17 }, (_, code) =>
  // gRPC's own spelling.
  code === Code.Canceled ? "CANCELLED" : codeName(code).toUpperCase(),
);

/** A code as gRPC writes it, as `OK`, `NOT_FOUND`, `CANCELLED`. */
export function statusName(code: StatusCode): string {
  return names[code] as string;
}

const faults: ReadonlySet<StatusCode> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/** Whether a server that answers with this code has failed; with the others it is the caller who did something wrong. */
export function isServerFault(code: StatusCode): boolean {
  return faults.has(code);
}
