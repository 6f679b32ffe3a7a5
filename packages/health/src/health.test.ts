// The server's side: what Check, List and Watch say of what was set, and what a watcher costs.
import { Code, createClient, createInProcessChannel, createRouter, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { createHealth, Health, type HealthOptions, type ServerHealth, ServingStatus } from "./index.js";

const { SERVING, NOT_SERVING, UNKNOWN, SERVICE_UNKNOWN } = ServingStatus;

function open(options?: HealthOptions) {
  const health = createHealth(options);
  const router = health.register(createRouter());
  const channel = createInProcessChannel(router);
  return { health, router, channel, client: createClient(Health, channel) };
}

/** The code of a call that fails. */
async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return call.then(
    () => undefined,
    (error) => RpcError.from(error).code,
  );
}

test("a new server serves, its health service included; other services are not known", async () => {
  const { health, client } = open();
  expect((await client.check({})).status).toBe(SERVING);
  expect((await client.check({ service: "grpc.health.v1.Health" })).status).toBe(SERVING);
  expect(await codeOf(client.check({ service: "a.B" }))).toBe(Code.NotFound);
  expect(health.status("a.B")).toBeUndefined();
});

test("what is set is what Check and List say", async () => {
  const { health, client } = open({ status: UNKNOWN });
  health.setStatus("a.B", NOT_SERVING);
  health.setStatus(Health, UNKNOWN);
  expect((await client.check({ service: "a.B" })).status).toBe(NOT_SERVING);
  const { statuses } = await client.list({});
  expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
    ["", UNKNOWN],
    ["a.B", NOT_SERVING],
    ["grpc.health.v1.Health", UNKNOWN],
  ]);
  health.clearStatus("a.B");
  expect(await codeOf(client.check({ service: "a.B" }))).toBe(Code.NotFound);
});

test("services that are registered after health are known as well", async () => {
  const { health, router, client } = open();
  router.service({ ...Health, typeName: "late.Service" } as typeof Health, {});
  expect((await client.check({ service: "late.Service" })).status).toBe(SERVING);
  health.setStatus("late.Service", NOT_SERVING);
  expect((await client.check({ service: "late.Service" })).status).toBe(NOT_SERVING);
  health.clearStatus("late.Service");
  expect((await client.check({ service: "late.Service" })).status).toBe(SERVING);
});

test("one health serves several servers, and knows the services of all", async () => {
  const { health, client } = open();
  const second = health.register(createRouter());
  second.service({ ...Health, typeName: "other.Service" } as typeof Health, {});
  expect((await client.check({ service: "other.Service" })).status).toBe(SERVING);
  expect(() => health.register(second)).toThrowError(/already/);
});

test("List refuses more services than its bound", async () => {
  const { health, client } = open({ listLimit: 3 });
  health.setStatus("a.A", SERVING);
  expect(Object.keys((await client.list({})).statuses)).toHaveLength(3);
  health.setStatus("a.B", SERVING);
  expect(await codeOf(client.list({}))).toBe(Code.ResourceExhausted);
});

test("Watch tells the state at once, then changes, and nothing twice in a row", async () => {
  const { health, client } = open();
  await using watch = client.watch({ service: "a.B" });
  const next = async () => (await watch.next()).value?.status;
  expect(await next()).toBe(SERVICE_UNKNOWN);
  health.setStatus("a.B", SERVING);
  expect(await next()).toBe(SERVING);
  health.setStatus("a.B", SERVING);
  health.setStatus("", NOT_SERVING);
  health.setStatus("a.B", NOT_SERVING);
  expect(await next()).toBe(NOT_SERVING);
  health.clearStatus("a.B");
  expect(await next()).toBe(SERVICE_UNKNOWN);
});

test("a watcher that does not read costs nothing: the stream has the latest state only", async () => {
  const { health } = open();
  const { watch, end } = handlerOf(health);
  expect((await watch.next()).value).toEqual({ status: SERVING });
  for (let i = 0; i < 10_000; i++) health.setStatus("", i % 2 === 0 ? NOT_SERVING : UNKNOWN);
  health.setStatus("", NOT_SERVING);
  expect((await watch.next()).value).toEqual({ status: NOT_SERVING });
  const pending = watch.next();
  health.setStatus("", SERVING);
  expect((await pending).value).toEqual({ status: SERVING });
  const last = watch.next();
  end.abort();
  expect((await last).done).toBe(true);
});

test("shutdown makes everything NOT_SERVING for good, until resume brings back what was", async () => {
  const { health, client } = open();
  health.setStatus("a.B", UNKNOWN);
  await using watch = client.watch({ service: "a.B" });
  const next = async () => (await watch.next()).value?.status;
  expect(await next()).toBe(UNKNOWN);
  health.shutdown();
  expect(await next()).toBe(NOT_SERVING);
  health.setStatus("", SERVING);
  health.clearStatus("a.B");
  expect([...health.statuses().values()]).toEqual([NOT_SERVING, NOT_SERVING, NOT_SERVING]);
  expect(await codeOf(client.check({ service: "x.Y" }))).toBe(Code.NotFound);
  health.resume();
  expect(await next()).toBe(UNKNOWN);
  expect((await client.check({})).status).toBe(SERVING);
});

test("close tells every watcher NOT_SERVING and then ends its stream", async () => {
  const { health, client } = open();
  await using watch = client.watch({});
  expect((await watch.next()).value?.status).toBe(SERVING);
  health.close();
  health.resume();
  expect((await watch.next()).value?.status).toBe(NOT_SERVING);
  expect(await codeOf(watch.next())).toBe(Code.Unavailable);
  await using late = client.watch({ service: "x.Y" });
  expect((await late.next()).value?.status).toBe(SERVICE_UNKNOWN);
  expect(await codeOf(late.next())).toBe(Code.Unavailable);
});

test("a name with a slash is nothing that the server knows, and no fault of the server", async () => {
  const { client } = open();
  expect(await codeOf(client.check({ service: "/a.B/C" }))).toBe(Code.NotFound);
  await using watch = client.watch({ service: "/a.B/C" });
  expect((await watch.next()).value?.status).toBe(SERVICE_UNKNOWN);
});

test("wrong arguments are named", () => {
  const health = createHealth();
  expect(() => health.setStatus("a/b", SERVING)).toThrowError(/"a\/b".*slash/);
  expect(() => health.setStatus("a.B", SERVICE_UNKNOWN)).toThrowError(/SERVICE_UNKNOWN/);
  expect(() => health.setStatus("a.B", 9 as never)).toThrowError(/9/);
  expect(() => health.setStatus(undefined as never, SERVING)).toThrowError(/undefined/);
  expect(() => createHealth({ listLimit: 0 })).toThrowError(/listLimit.*0/);
  expect(() => createHealth({ status: SERVICE_UNKNOWN })).toThrowError(/SERVICE_UNKNOWN/);
});

/** The handler of Watch by itself, without a channel that reads ahead. */
function handlerOf(health: ServerHealth) {
  const end = new AbortController();
  const route = health.register(createRouter()).find("grpc.health.v1.Health", "Watch");
  const stream = route?.many({ service: "" } as never, { signal: end.signal } as never) as AsyncIterable<object>;
  return { watch: stream[Symbol.asyncIterator](), end };
}
