// 64-bit integers as bigint, by way of 32-bit halves. No wire format here.

// Sharing memory between the two views is several times faster than shifting and masking bigints.
const big = new BigInt64Array(1);
const unsignedBig = new BigUint64Array(big.buffer);
const halves = new Uint32Array(big.buffer);
// Which half comes first depends on the machine.
halves[0] = 1;
const LOW = big[0] === 1n ? 0 : 1;
const HIGH = 1 - LOW;

/** The halves of the last {@link splitLong}. */
export const split = { low: 0, high: 0 };

/** Leaves the halves of an integer (two's complement) in {@link split}; false when it has no place in 64 bits. */
export function splitLong(value: bigint, signed: boolean): boolean {
  if (signed ? BigInt.asIntN(64, value) !== value : BigInt.asUintN(64, value) !== value) return false;
  big[0] = value;
  split.low = halves[LOW] as number;
  split.high = halves[HIGH] as number;
  return true;
}

/** The signed integer of two halves. */
export function joinSigned(low: number, high: number): bigint {
  halves[LOW] = low;
  halves[HIGH] = high;
  return big[0] as bigint;
}

/** The unsigned integer of two halves. */
export function joinUnsigned(low: number, high: number): bigint {
  halves[LOW] = low;
  halves[HIGH] = high;
  return unsignedBig[0] as bigint;
}
