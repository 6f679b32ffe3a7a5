// Tells a handler's promise from its message.

/** Whether a handler's result is still to come. A message with a field called `then` is a message. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise || (typeof value === "object" && value !== null && isThenable(value));
}

function isThenable(value: object): boolean {
  return "then" in value && typeof value.then === "function" && !("$typeName" in value);
}
