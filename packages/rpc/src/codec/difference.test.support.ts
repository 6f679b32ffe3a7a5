// A comparison of messages that is stricter than protobuf-es' `equals`. For tests.

/** Whether two messages are the same in every property, prototypes included, but for the order of properties. Says where not. */
export function difference(a: unknown, b: unknown, path = ""): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return `${path}: ${String(a)} is not ${String(b)}`;
  }
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || Buffer.compare(a, b) !== 0)
      return `${path}: other bytes`;
    if (Buffer.isBuffer(a)) return `${path}: a Buffer`;
    return undefined;
  }
  if (Array.isArray(a) !== Array.isArray(b)) return `${path}: an array and none`;
  const keys = Object.keys(a).sort();
  if (keys.join() !== Object.keys(b).sort().join())
    return `${path}: has ${keys.join()}, not ${Object.keys(b).sort().join()}`;
  for (const key of keys) {
    const found = difference((a as never)[key], (b as never)[key], `${path}.${key}`);
    if (found !== undefined) return found;
  }
  const [pa, pb] = [Object.getPrototypeOf(a), Object.getPrototypeOf(b)];
  return pa === Object.prototype || pb === Object.prototype || Array.isArray(a)
    ? pa === pb
      ? undefined
      : `${path}: other prototype`
    : difference(pa, pb, `${path}.[prototype]`);
}
