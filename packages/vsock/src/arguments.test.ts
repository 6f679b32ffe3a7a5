// Every refusal comes before a backend is loaded: the loader given here fails the test when it is called.
import { expect, test } from "vitest";
import { type DialOptions, dialWith, dial as publicDial } from "./dial.js";
import { type ListenAddress, type ListenOptions, listenWith, listen as publicListen } from "./listen.js";

const load = (): never => {
  throw new Error("a backend was loaded");
};
const dial = (address: unknown, options: unknown = {}): Promise<unknown> =>
  dialWith(load, address as { cid: number; port: number }, options as DialOptions);
const listen = (address: unknown, options: unknown = {}, onConnection?: unknown): Promise<unknown> =>
  listenWith(load, address as ListenAddress, options as ListenOptions, onConnection as undefined);
const ok = { cid: 1, port: 1 };

test.each([
  [() => dial(undefined), TypeError, "address must be an object, not undefined"],
  [() => dial(null), TypeError, "address must be an object, not null"],
  [() => dial("vsock://1:1"), TypeError, 'address must be an object, not the string "vsock://1:1"'],
  [() => dial({ port: 1 }), TypeError, "address.cid must be a number, not undefined"],
  [() => dial({ cid: "host", port: 1 }), TypeError, 'address.cid must be a number, not the string "host"'],
  [() => dial({ cid: 1 }), TypeError, "address.port must be a number, not undefined"],
  [() => dial({ cid: -1, port: 1 }), RangeError, "address.cid must be a whole number from 0 to 4294967294, not -1"],
  [() => dial({ cid: 2 ** 32 - 1, port: 1 }), RangeError, "address.cid"],
  [() => dial({ cid: 1.5, port: 1 }), RangeError, "address.cid"],
  [() => dial({ cid: 1, port: 2 ** 32 - 1 }), RangeError, "address.port must be a whole number from 0 to 4294967294"],
  [() => dial({ cid: 1, port: Number.NaN }), RangeError, "not NaN"],
  [() => dial(ok, null), TypeError, "options must be an object, not null"],
  [
    () => dial(ok, { timeoutMs: -1 }),
    RangeError,
    "options.timeoutMs must be more than 0 and at most 2147483647 milliseconds",
  ],
  [() => dial(ok, { timeoutMs: 0 }), RangeError, "options.timeoutMs"],
  [() => dial(ok, { timeoutMs: 2 ** 31 }), RangeError, "options.timeoutMs"],
  [() => dial(ok, { timeoutMs: Number.NaN }), RangeError, "options.timeoutMs"],
  [() => dial(ok, { timeoutMs: "5" }), TypeError, 'options.timeoutMs must be a number, not the string "5"'],
  [() => dial(ok, { signal: {} }), TypeError, "options.signal must be an AbortSignal, not object"],
  [() => dial(ok, { allowHalfOpen: 1 }), TypeError, "options.allowHalfOpen must be a boolean, not number"],
  [() => listen(undefined), TypeError, "address must be an object"],
  [() => listen({}), TypeError, "address.port must be a number, not undefined"],
  [() => listen({ cid: "all", port: 1 }), TypeError, 'address.cid must be a number, not the string "all"'],
  [() => listen({ cid: 2 ** 32, port: 1 }), RangeError, "address.cid must be a whole number from 0 to 4294967295"],
  [() => listen({ port: 2 ** 32 }), RangeError, "address.port must be a whole number from 0 to 4294967295"],
  [() => listen(ok, 5), TypeError, "options must be an object, not number"],
  [() => listen(ok, { backlog: -1 }), RangeError, "options.backlog"],
  [() => listen(ok, { backlog: "1" }), TypeError, "options.backlog"],
  [() => listen(ok, { allowHalfOpen: "yes" }), TypeError, "options.allowHalfOpen"],
  [() => listen(ok, { pauseOnConnect: 0 }), TypeError, "options.pauseOnConnect"],
  [() => listen(ok, {}, "no function"), TypeError, "onConnection must be a function"],
])("refusal %#", async (attempt, kind, message) => {
  const error: Error & { code?: string } = await attempt().then(
    () => expect.unreachable(),
    (reason: Error) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  expect(error.message).toContain(message);
  expect(error.code).toBe(kind === TypeError ? "ERR_INVALID_ARG_TYPE" : "ERR_OUT_OF_RANGE");
});

test("good arguments lead to the backend", async () => {
  await expect(dial(ok, { timeoutMs: 0.5, allowHalfOpen: true })).rejects.toThrow("a backend was loaded");
  await expect(listen({ cid: "any", port: 2 ** 32 - 1 }, { backlog: 0 })).rejects.toThrow("a backend was loaded");
});

test("a signal that is aborted already keeps the backend unloaded", async () => {
  const reason = new Error("changed my mind");
  await expect(dial(ok, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test("the public functions check in the same way", async () => {
  await expect(publicDial({ cid: -1, port: 1 })).rejects.toThrow("address.cid");
  await expect(publicListen({ port: -1 })).rejects.toThrow("address.port");
});
