// The request header before grpc-js reads it: what grpc-js takes in another way than it is meant is put right here.
import type { IncomingHttpHeaders } from "node:http2";

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
// grpc-js counts the time in 31 bits: a longer one it would take for a time that has passed.
const longestMs = 2 ** 31 - 1;

/** Cuts a deadline that is longer than the limit, in milliseconds. */
export function cutTimeout(headers: IncomingHttpHeaders, limitMs: number): void {
  const timeout = headers["grpc-timeout"];
  if (typeof timeout !== "string") return;
  const parts = /^(\d{1,8})([HMSmun])$/.exec(timeout);
  // grpc-js answers that.
  if (parts === null) return;
  const most = Math.min(limitMs, longestMs);
  if (Number(parts[1]) * (unitMs[parts[2] as string] as number) <= most) return;
  headers["grpc-timeout"] = most < 1e8 ? `${most}m` : `${Math.floor(most / 1000)}S`;
}

const ownContentType = /^application\/grpc(?:\+proto)?(?:;|$)/;
const encodings: ReadonlySet<unknown> = new Set(["gzip", "deflate"]);

/**
 * Makes grpc-js answer with HTTP's 415 what is no call of ours: another HTTP method, or messages of another encoding than
 * protobuf, which it would try to read as if they were.
 */
export function refuseOthers(headers: IncomingHttpHeaders): void {
  if (headers[":method"] === "POST" && ownContentType.test(headers["content-type"] ?? "")) return;
  headers["content-type"] = "";
}

/**
 * Looks at how messages are compressed.
 *
 * @returns The name of an encoding that we do not have.
 */
export function unknownEncoding(headers: IncomingHttpHeaders): string | undefined {
  const encoding = headers["grpc-encoding"];
  if (encodings.has(encoding)) return undefined;
  if (encoding !== undefined && encoding !== "identity") return String(encoding);
  // A message that says to be compressed all the same, grpc-js would take as it is. So it tries, and refuses what is not.
  headers["grpc-encoding"] = "gzip";
  return undefined;
}
