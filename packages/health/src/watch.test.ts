// The client's side: states across broken streams, what ends a watch, and what is left of it.
import { getEventListeners } from "node:events";
import {
  Code,
  createInProcessChannel,
  createPushStream,
  createRouter,
  type PushStream,
  RpcError,
} from "@guestwire/rpc";
import { withDefaults } from "@guestwire/rpc/transport";
import { expect, test } from "vitest";
import {
  checkHealth,
  createHealth,
  Health,
  type HealthState,
  registerHealth,
  ServingStatus,
  waitUntilServing,
  watchHealth,
} from "./index.js";

const { SERVING, NOT_SERVING, UNKNOWN, SERVICE_UNKNOWN } = ServingStatus;
const backoff = { initialMs: 1, maxMs: 4 };

/** A server whose Watch streams are the test's own, one after another. */
function scripted() {
  const calls: PushStream<{ status: ServingStatus }>[] = [];
  const arrivals = createPushStream<PushStream<{ status: ServingStatus }>>();
  const channel = createInProcessChannel((registry) =>
    registerHealth(registry, {
      watch() {
        const stream = createPushStream<{ status: ServingStatus }>();
        calls.push(stream);
        void arrivals.push(stream);
        return stream;
      },
    }),
  );
  const call = async () => (await arrivals.next()).value as PushStream<{ status: ServingStatus }>;
  return { channel, calls, call };
}

const shown = ({ status, error }: HealthState) => (error === undefined ? status : [status, error.code]);

test("checkHealth asks once", async () => {
  const health = createHealth();
  const channel = createInProcessChannel((registry) => health.register(registry));
  expect(await checkHealth(channel)).toBe(SERVING);
  expect(await checkHealth(channel, Health, { timeoutMs: 60_000 })).toBe(SERVING);
  await expect(checkHealth(channel, "a.B")).rejects.toMatchObject({ code: Code.NotFound });
  await expect(checkHealth(channel, "a/B")).rejects.toMatchObject({ code: Code.InvalidArgument });
  await expect(checkHealth(createInProcessChannel(createRouter()))).rejects.toMatchObject({ code: Code.Unimplemented });
});

test("states come across broken and ended streams, each once", async () => {
  const { channel, call } = scripted();
  await using watch = watchHealth(channel, "a.B", { backoff });
  const next = async () => shown((await watch.next()).value as HealthState);

  const first = watch.next();
  let stream = await call();
  await stream.push({ status: SERVING });
  expect(shown((await first).value as HealthState)).toBe(SERVING);
  stream.fail(new RpcError(Code.Internal, "broken"));
  expect(await next()).toEqual([UNKNOWN, Code.Internal]);
  // Broken again and again is no news.
  const later = next();
  for (let i = 0; i < 5; i++) (await call()).fail(new RpcError(Code.Unavailable, "away"));
  (await call()).end();
  stream = await call();
  await stream.push({ status: UNKNOWN });
  expect(await later).toBe(UNKNOWN);
  await stream.push({ status: NOT_SERVING });
  await stream.push({ status: NOT_SERVING });
  await stream.push({ status: SERVICE_UNKNOWN });
  expect(await next()).toBe(NOT_SERVING);
  expect(await next()).toBe(SERVICE_UNKNOWN);
  stream.end();
  expect(await next()).toEqual([UNKNOWN, Code.Unavailable]);
});

test("a server without health ends the watch", async () => {
  const watch = watchHealth(createInProcessChannel(createRouter()), "", { backoff });
  await expect(watch.next()).rejects.toMatchObject({ code: Code.Unimplemented });
  expect(await watch.next()).toEqual({ done: true, value: undefined });
});

test("leaving ends the call, also while a state is waited for, and leaves nothing on the signal", async () => {
  const { channel, call } = scripted();
  const { signal } = new AbortController();
  const watch = watchHealth(channel, "", { signal, backoff });
  const first = watch.next();
  const stream = await call();
  await stream.push({ status: SERVING });
  await first;
  const waiting = watch.next();
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await watch.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
  await expect(stream.push({ status: SERVING })).rejects.toMatchObject({ code: Code.Canceled });
  expect(await watch.next()).toEqual({ done: true, value: undefined });
});

test("leaving during a pause between attempts ends at once", async () => {
  const { channel, call } = scripted();
  const watch = watchHealth(channel, "", { backoff: { initialMs: 86_400_000, maxMs: 86_400_000 } });
  const first = watch.next();
  (await call()).end();
  expect(shown((await first).value as HealthState)).toEqual([UNKNOWN, Code.Unavailable]);
  const waiting = watch.next();
  await watch.return();
  expect((await waiting).done).toBe(true);
});

test("throwing into a watch leaves it and gives the error back", async () => {
  const { channel, call } = scripted();
  const watch = watchHealth(channel);
  const first = watch.next();
  const stream = await call();
  await expect(watch.throw(new Error("mine"))).rejects.toThrowError("mine");
  expect((await first).done).toBe(true);
  await expect(stream.push({ status: SERVING })).rejects.toMatchObject({ code: Code.Canceled });
});

test("the signal ends the watch with its reason, fired before or while it runs", async () => {
  const { channel, call } = scripted();
  const controller = new AbortController();
  const watch = watchHealth(channel, "", { signal: controller.signal, backoff });
  const first = watch.next();
  await call();
  controller.abort("enough");
  await expect(first).rejects.toMatchObject({ code: Code.Canceled, cause: "enough" });
  const late = watchHealth(channel, "", { signal: controller.signal, backoff });
  await expect(late.next()).rejects.toMatchObject({ code: Code.Canceled, cause: "enough" });
});

test("the end of the channel ends a watch that runs", async () => {
  const { channel, call } = scripted();
  const watch = watchHealth(channel, "", { backoff });
  const first = watch.next();
  await call();
  await channel.close();
  await expect(first).rejects.toMatchObject({ code: Code.Canceled });
});

test("metadata goes with every call", async () => {
  const seen: (string | undefined)[] = [];
  const channel = createInProcessChannel((registry) =>
    registerHealth(registry, {
      async *watch(_request, { metadata }) {
        seen.push(metadata.get("token"));
        yield { status: seen.length === 1 ? NOT_SERVING : SERVING };
      },
    }),
  );
  await waitUntilServing(channel, "", { metadata: { token: "t" }, backoff });
  expect(seen).toEqual(["t", "t"]);
});

test("a channel's limit for calls is none for watching", async () => {
  const deadlines: unknown[] = [];
  const limited = withDefaults(
    createInProcessChannel((registry) =>
      registerHealth(registry, {
        async *watch(_request, { deadline }) {
          deadlines.push(deadline);
          yield { status: SERVING };
        },
      }),
    ),
    { timeoutMs: 60_000 },
  );
  await waitUntilServing(limited);
  expect(deadlines).toEqual([undefined]);
});

test("waitUntilServing waits through everything that may come before", async () => {
  const { channel, call } = scripted();
  const served = waitUntilServing(channel, "a.B", { timeoutMs: 60_000, backoff });
  (await call()).fail(new RpcError(Code.Unavailable, "not yet"));
  const stream = await call();
  for (const status of [SERVICE_UNKNOWN, NOT_SERVING, UNKNOWN, SERVING]) void stream.push({ status });
  expect(await served).toBeUndefined();
  await expect(stream.push({ status: SERVING })).rejects.toMatchObject({ code: Code.Canceled });
});

test("waitUntilServing says how things were when the time is up", async () => {
  const { channel, call } = scripted();
  const silent = waitUntilServing(channel, "", { timeoutMs: 1, backoff });
  await expect(silent).rejects.toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
  await expect(silent).rejects.toThrowError("the server has not answered after 1 ms");
  await call();

  const health = createHealth({ status: NOT_SERVING });
  const other = createInProcessChannel((registry) => health.register(registry));
  await expect(waitUntilServing(other, "", { timeoutMs: 200 })).rejects.toThrowError(
    "the server is NOT_SERVING after 200 ms",
  );
  await other.close();
  const closed = waitUntilServing(other, "a.B", { timeoutMs: 20, backoff });
  await expect(closed).rejects.toThrowError("a.B is UNKNOWN (the channel is closed) after 20 ms");
  await expect(closed).rejects.toMatchObject({ cause: { code: Code.Unavailable } });
});

test("waitUntilServing ends by its signal and with servers that have no health", async () => {
  const { channel, call } = scripted();
  const controller = new AbortController();
  const waiting = waitUntilServing(channel, "", { signal: controller.signal });
  await call();
  controller.abort("enough");
  await expect(waiting).rejects.toMatchObject({ code: Code.Canceled, cause: "enough" });
  await expect(waitUntilServing(channel, "", { signal: controller.signal })).rejects.toMatchObject({ cause: "enough" });
  expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  await expect(waitUntilServing(createInProcessChannel(createRouter()))).rejects.toMatchObject({
    code: Code.Unimplemented,
  });
});

test("wrong arguments are named at once", async () => {
  const { channel } = scripted();
  expect(() => watchHealth(channel, "a/b")).toThrowError(/"a\/b"/);
  expect(() => watchHealth(channel, "", { backoff: { initialMs: 0 } })).toThrowError(/backoff.initialMs.*0/);
  expect(() => watchHealth(channel, "", { backoff: { maxMs: Number.NaN } })).toThrowError(/backoff.maxMs.*NaN/);
  expect(() => watchHealth(channel, "", { signal: {} as never })).toThrowError(/signal/);
  await expect(waitUntilServing(channel, "", { timeoutMs: -1 })).rejects.toThrowError(/timeoutMs.*-1/);
  const bad = watchHealth(channel, "", { metadata: { "bad key": "x" } });
  await expect(bad.next()).rejects.toMatchObject({ code: Code.InvalidArgument });
});
