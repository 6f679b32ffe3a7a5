// Text of a few ASCII characters, made without a call into Node. Longer text, and text beyond ASCII, is not for this file.

/** Up to this length `shortText` is quicker than `utf8Slice`. */
const SHORT = 24;

/** One array of character codes per length: filled anew each time, so that none is allocated. */
const codes: readonly number[][] = Array.from({ length: SHORT + 1 }, (_, length) => new Array<number>(length).fill(0));

/**
 * The text of up to 24 bytes if all of them are ASCII, otherwise undefined.
 *
 * `utf8Slice` costs about 65 ns at any of these lengths. `fromCharCode` with its arguments written out, which V8 turns into
 * plain stores, costs 15 to 25 ns, and with an array of arguments 35 to 60 ns. Most text in messages is that short: ids, names, states.
 */
export function shortText(b: Uint8Array, at: number, length: number): string | undefined {
  if (length > SHORT) return undefined;
  if (length > 8) return midText(b, at, length);
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= b[at + i] as number;
  if (bits > 0x7f) return undefined;
  switch (length) {
    case 0:
      return "";
    case 1:
      return String.fromCharCode(b[at]!);
    case 2:
      return String.fromCharCode(b[at]!, b[at + 1]!);
    case 3:
      return String.fromCharCode(b[at]!, b[at + 1]!, b[at + 2]!);
    case 4:
      return String.fromCharCode(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!);
    case 5:
      return String.fromCharCode(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!);
    case 6:
      return String.fromCharCode(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!, b[at + 5]!);
    case 7:
      return String.fromCharCode(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!, b[at + 5]!, b[at + 6]!);
    default:
      return String.fromCharCode(
        b[at]!,
        b[at + 1]!,
        b[at + 2]!,
        b[at + 3]!,
        b[at + 4]!,
        b[at + 5]!,
        b[at + 6]!,
        b[at + 7]!,
      );
  }
}

function midText(b: Uint8Array, at: number, length: number): string | undefined {
  const text = codes[length] as number[];
  for (let i = 0; i < length; i++) {
    const code = b[at + i] as number;
    if (code > 0x7f) return undefined;
    text[i] = code;
  }
  return String.fromCharCode.apply(String, text);
}
