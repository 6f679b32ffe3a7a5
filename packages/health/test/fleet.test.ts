// A list of healthy servers over gRPC: who leaves it and when, who returns, and calls that do not fail meanwhile.
import { type AddressList, connect, createAddressList, type Server, serve } from "@guestwire/grpc";
import { type Channel, Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterAll, expect, test } from "vitest";
import { createHealth, type Fleet, ServingStatus, type WatchFleetOptions, watchFleet } from "../src/index.js";

const { SERVING, NOT_SERVING, UNKNOWN } = ServingStatus;
const handlesGone = watchHandles();
afterAll(() => handlesGone());

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};

/** A server that can go and come back on the same address. */
class Guest {
  readonly address: string;
  health = createHealth();
  server!: Server;

  constructor(address: string) {
    this.address = address;
  }

  async start(status: ServingStatus = SERVING, withHealth = true): Promise<void> {
    this.health = createHealth({ status });
    this.server = serve().service(EchoService, { ...echoHandlers, echo: () => ({ text: this.address }) });
    if (withHealth) this.health.register(this.server);
    await this.server.listen(this.address);
  }

  /** As a process that is killed: connections break. */
  die(): Promise<void> {
    return this.server.close({ graceMs: 0 });
  }
}

interface Opened extends AsyncDisposable {
  readonly guests: readonly [Guest, Guest, Guest];
  readonly list: AddressList;
  readonly fleet: Fleet;
  /** Waits until the list has these guests and no others. */
  lists(...guests: Guest[]): Promise<void>;
}

async function open(
  options: Partial<WatchFleetOptions> = {},
  statuses: readonly ServingStatus[] = [SERVING, SERVING, SERVING],
): Promise<Opened> {
  const folder = await tempFolder();
  const guests = [0, 1, 2].map((n) => new Guest(`unix://${folder.file(`${n}.sock`)}`)) as [Guest, Guest, Guest];
  await Promise.all(guests.map((guest, n) => guest.start(statuses[n])));
  const list = createAddressList();
  const fleet = watchFleet({
    addresses: guests.map(({ address }) => address),
    list,
    connect: (address) => connect(address, { backoff: { initialMs: 5, maxMs: 5 } }),
    backoff: { initialMs: 5, maxMs: 5 },
    ...options,
  });
  return {
    guests,
    list,
    fleet,
    async lists(...wanted) {
      const addresses = wanted.map(({ address }) => address).join();
      await until(() => list.addresses.join() === addresses);
    },
    async [Symbol.asyncDispose]() {
      await fleet.close();
      await Promise.all(guests.map((guest) => guest.die()));
      await folder[Symbol.asyncDispose]();
    },
  };
}

const all = (fleet: Fleet) => [...fleet.states.values()].map(({ status, error }) => error?.code ?? status);

test("a server leaves the list when it is not serving, and returns", async () => {
  await using opened = await open();
  const { guests, lists, list, fleet } = opened;
  const [a, b, c] = guests;
  expect(list.addresses).toHaveLength(3);
  expect(all(fleet)).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
  await until(() => all(fleet).join() === [SERVING, SERVING, SERVING].join());
  await lists(a, b, c);
  b.health.setStatus("", NOT_SERVING);
  await lists(a, c);
  b.health.setStatus("", SERVING);
  await lists(a, b, c);
});

test("one that goes in order leaves before it goes, one that dies leaves at once; calls do not fail", async () => {
  await using opened = await open();
  const [a, b, c] = opened.guests;
  await opened.lists(a, b, c);
  await using channel: Channel = connect(opened.list, { loadBalancing: "round_robin", retries: true });
  const client = createClient(EchoService, channel);
  const calls = new Map<string, number>();
  let running = true;
  const load = [1, 2, 3, 4].map(async () => {
    while (running) {
      const { text } = await client.echo({});
      calls.set(text, (calls.get(text) ?? 0) + 1);
    }
  });
  const everyone = async (...guests: Guest[]): Promise<void> => {
    calls.clear();
    await until(() => guests.every(({ address }) => (calls.get(address) ?? 0) > 20));
  };
  await everyone(a, b, c);

  a.health.shutdown();
  await opened.lists(b, c);
  // Still there, for calls that run.
  expect(opened.fleet.states.get(a.address)).toEqual({ status: NOT_SERVING, error: undefined });
  a.health.close();
  await a.server.close({ graceMs: 86_400_000 });
  await everyone(b, c);
  expect(calls.has(a.address)).toBe(false);

  await b.die();
  await opened.lists(c);
  expect(opened.fleet.states.get(b.address)?.error).toMatchObject({ code: Code.Unavailable });
  await everyone(c);
  expect(calls.has(b.address)).toBe(false);

  await Promise.all([a.start(), b.start()]);
  await opened.lists(a, b, c);
  await everyone(a, b, c);
  running = false;
  await Promise.all(load);
});

test("while none is healthy, those that cannot be asked are in the list, and none that says it is not serving", async () => {
  await using opened = await open();
  const [a, b, c] = opened.guests;
  await opened.lists(a, b, c);
  await using channel = connect(opened.list);
  const client = createClient(EchoService, channel);
  a.health.setStatus("", NOT_SERVING);
  b.health.setStatus("", UNKNOWN);
  await opened.lists(c);
  await c.die();
  await until(() => opened.fleet.states.get(c.address)?.error !== undefined);
  expect(opened.list.addresses).toEqual([c.address]);
  await c.start(NOT_SERVING);
  await opened.lists();
  await expect(client.echo({})).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(/it is empty/),
  });
  b.health.setStatus("", SERVING);
  await opened.lists(b);
  expect((await client.echo({})).text).toBe(b.address);
});

test("of one service; a server that has no health service counts as serving", async () => {
  await using opened = await open({ service: EchoService }, [NOT_SERVING, SERVING, SERVING]);
  const [a, b, c] = opened.guests;
  await opened.lists(a, b, c);
  b.health.setStatus(EchoService, NOT_SERVING);
  await opened.lists(a, c);
  await a.die();
  await opened.lists(c);
  await a.start(SERVING, false);
  await opened.lists(a, c);
  expect(opened.fleet.states.get(a.address)).toMatchObject({ status: SERVING, error: { code: Code.Unimplemented } });
  // It is asked again all the same.
  await a.die();
  await opened.lists(c);
});

test("servers may join and leave; what is left is forgotten", async () => {
  const told: number[] = [];
  await using opened = await open({ onChange: (states) => told.push(states.size) }, [SERVING, SERVING, NOT_SERVING]);
  const { guests, lists, list, fleet } = opened;
  const [a, b, c] = guests;
  await lists(a, b);
  fleet.update([c.address, b.address, b.address]);
  await lists(b);
  await until(() => a.server.connections === 0);
  expect([...fleet.states.keys()]).toEqual([c.address, b.address]);
  expect(b.server.connections).toBe(1);
  c.health.setStatus("", SERVING);
  await lists(c, b);
  expect(told.at(-1)).toBe(2);
  fleet.update([]);
  expect(list.addresses).toEqual([]);
  await until(() => b.server.connections + c.server.connections === 0);
});

test("the end leaves the list as it is and no connection", async () => {
  const opened = await open();
  const { guests, fleet, list } = opened;
  const addresses = guests.map(({ address }) => address);
  await opened.lists(...guests);
  await fleet.close();
  await until(() => guests.every(({ server }) => server.connections === 0));
  expect(list.addresses).toEqual(addresses);
  expect(() => fleet.update([])).toThrowError(/the fleet is closed/);
  await opened[Symbol.asyncDispose]();
});

test("wrong arguments are named at once, and nothing stays open", async () => {
  const list = createAddressList();
  const opened: string[] = [];
  const closing: string[] = [];
  const channel = (address: string): Channel => {
    opened.push(address);
    const made = connect(address);
    return Object.assign(Object.create(made) as Channel, {
      close: () => {
        closing.push(address);
        return made.close();
      },
    });
  };
  const make = (options: object) => () => watchFleet({ addresses: [], list, connect: channel, ...options });
  expect(make({ addresses: "tcp://127.0.0.1:1" })).toThrowError(/addresses must be an array, not string/);
  expect(make({ connect: undefined })).toThrowError(/connect must be a function/);
  expect(make({ list: [] })).toThrowError(/list must have a method update/);
  expect(make({ service: "a/b" })).toThrowError(/"a\/b"/);
  expect(make({ backoff: { initialMs: -1 } })).toThrowError(/backoff.initialMs/);
  expect(opened).toEqual([]);
  expect(make({ addresses: ["tcp://127.0.0.1:1", "localhost"] })).toThrowError(RpcError);
  expect([opened, closing]).toEqual([["tcp://127.0.0.1:1", "localhost"], ["tcp://127.0.0.1:1"]]);
  // The list takes no names.
  expect(make({ addresses: ["dns:///localhost:1"] })).toThrowError(/must stand alone/);
  await until(() => closing.includes("dns:///localhost:1"));
});
