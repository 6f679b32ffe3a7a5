// Protobuf's wire read in the plainest and strictest way: says whether bytes are fields at all, and which. An oracle.

/** Which wire type each known field has, and the fields inside of those that are messages. */
export interface PlainMessage {
  readonly [field: number]: number | PlainMessage;
}

/**
 * What bytes are as a message:
 *
 * - `broken`: not fields, at the top or in a message that is known;
 * - `mistyped`: a known field has another wire type, which implementations take for different things;
 * - `plain`: neither.
 */
export type PlainVerdict = "broken" | "mistyped" | "plain";

const mostGroups = 100;

/** Looks at all fields. @param seen Told of each field's number at the top. */
export function judge(bytes: Uint8Array, known: PlainMessage, seen?: (field: number) => void): PlainVerdict {
  let at = 0;
  let verdict: PlainVerdict = "plain";

  function varint(most: number): bigint | undefined {
    let value = 0n;
    for (let size = 0; size < most; size++) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 0x7f) << BigInt(7 * size);
      if (byte < 0x80) return value;
    }
    return undefined;
  }
  function tag(): [number: number, type: number] | undefined {
    const value = varint(5);
    if (value === undefined || value < 8n || value > 0xffff_ffffn) return undefined;
    return [Number(value >> 3n), Number(value & 7n)];
  }
  function skip(number: number, type: number, depth: number): boolean {
    if (type === 0) return varint(10) !== undefined;
    if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const size = varint(10);
      if (size === undefined) return false;
      at += Number(size & 0xffff_ffffn);
    } else if (type === 3) {
      if (depth >= mostGroups) return false;
      for (;;) {
        const inner = tag();
        if (inner === undefined) return false;
        if (inner[1] === 4) {
          if (inner[0] !== number) return false;
          break;
        }
        if (!skip(inner[0], inner[1], depth + 1)) return false;
      }
    } else return false;
    return at <= bytes.length;
  }

  while (at < bytes.length) {
    const read = tag();
    if (read === undefined) return "broken";
    const [number, type] = read;
    const start = at;
    if (!skip(number, type, 0)) return "broken";
    seen?.(number);
    const own = known[number];
    if (own === undefined) continue;
    const inner = typeof own === "object";
    if (type !== (inner ? 2 : own)) {
      verdict = "mistyped";
      continue;
    }
    if (!inner) continue;
    const end = at;
    at = start;
    varint(10);
    const deeper = judge(bytes.subarray(at, end), own);
    at = end;
    if (deeper === "broken") return "broken";
    if (deeper === "mistyped") verdict = "mistyped";
  }
  return verdict;
}
