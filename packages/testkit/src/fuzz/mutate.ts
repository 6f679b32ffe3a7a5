// Makes new inputs of known ones: a few random changes each. Knows nothing of what the bytes mean but a dictionary.
import type { Random } from "./random.js";

const bytes: readonly number[] = [0, 1, 2, 3, 4, 5, 7, 8, 0x0a, 0x0d, 0x12, 0x1a, 0x20, 0x2a, 0x7f, 0x80, 0xc0, 0xff];
const numbers: readonly number[] = [
  0, 1, 9, 10, 11, 255, 256, 1000, 1001, 0xffff, 0x1_0000, 0x40_0000, 0x40_0001, 0xff_ffff, 0x100_0000, 0x7fff_ffff,
  0x8000_0000, 0xffff_fffe, 0xffff_ffff,
];

type Change = (
  input: Uint8Array,
  random: Random,
  others: readonly Uint8Array[],
  words: readonly Uint8Array[],
) => Uint8Array;

function spliced(input: Uint8Array, at: number, removed: number, piece: Uint8Array): Uint8Array {
  const to = Math.min(at + removed, input.length);
  const out = new Uint8Array(at + piece.length + input.length - to);
  out.set(input.subarray(0, at));
  out.set(piece, at);
  out.set(input.subarray(to), at + piece.length);
  return out;
}

function some(input: Uint8Array, random: Random): Uint8Array {
  const from = random.below(input.length + 1);
  return input.subarray(from, from + 1 + random.below(Math.min(64, input.length - from + 1)));
}

function number(random: Random): Uint8Array {
  const value = random.below(3) === 0 ? random.below(64) : random.pick(numbers);
  const size = random.pick([2, 4, 4, 8]);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  if (size === 2) view.setUint16(0, value & 0xffff);
  else if (random.below(8) === 0) view.setUint32(size - 4, value, true);
  else view.setUint32(size - 4, value);
  return out;
}

function varint(random: Random): Uint8Array {
  const out = Array.from({ length: random.below(11) }, () => 0x80 | random.below(128));
  return Uint8Array.from([...out, random.below(128)]);
}

const changes: readonly Change[] = [
  (input, random) => {
    const at = random.below(input.length);
    input[at] = (input[at] ?? 0) ^ (1 << random.below(8));
    return input;
  },
  (input, random) => {
    input[random.below(input.length)] = random.below(2) === 0 ? random.below(256) : random.pick(bytes);
    return input;
  },
  (input, random) => {
    const at = random.below(input.length);
    input[at] = (input[at] ?? 0) + random.below(9) - 4;
    return input;
  },
  (input, random) => spliced(input, random.below(input.length + 1), 0, Uint8Array.of(random.pick(bytes))),
  (input, random) =>
    spliced(input, random.below(input.length), 1 + random.below(random.below(4) === 0 ? 64 : 4), new Uint8Array(0)),
  (input, random) => spliced(input, random.below(input.length + 1), 0, some(input, random)),
  (input, random) => spliced(input, random.below(input.length), random.below(16), some(input, random)),
  (input, random) => spliced(input, random.below(input.length + 1), random.below(2) * 4, number(random)),
  (input, random) => spliced(input, random.below(input.length + 1), random.below(4), varint(random)),
  (input, random, others) => {
    const other = random.pick(others);
    return spliced(input, random.below(input.length + 1), random.below(3) * 8, some(other, random));
  },
  (input, random, others) => {
    const other = random.pick(others);
    return spliced(input, random.below(input.length + 1), input.length, other.subarray(random.below(other.length + 1)));
  },
  (input, random, _, words) =>
    words.length === 0
      ? input
      : spliced(input, random.below(input.length + 1), random.below(2) * 8, random.pick(words)),
];

/** Gives a changed copy of one of the inputs. */
export function mutate(
  inputs: readonly Uint8Array[],
  random: Random,
  maxBytes: number,
  words: readonly Uint8Array[] = [],
): Uint8Array {
  // Every second time one of those found last, which are the least explored.
  const from = random.below(2) === 0 ? Math.max(0, inputs.length - 16) : 0;
  let input: Uint8Array = (inputs[from + random.below(inputs.length - from)] ?? new Uint8Array(0)).slice();
  for (let times = 1 + random.below(random.below(4) === 0 ? 8 : 3); times > 0; times--) {
    if (input.length === 0) input = Uint8Array.of(random.pick(bytes));
    input = random.pick(changes)(input, random, inputs, words);
  }
  return input.length > maxBytes ? input.slice(0, maxBytes) : input;
}
