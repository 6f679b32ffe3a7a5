// The chaos proxy does what its plans say, and its plans are the seed's.
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { watchHandles } from "../handles.js";
import { SimRandom } from "../sim/random.js";
import { tempFolder } from "../temp-folder.js";
import { type ConnectionPlan, calmDirection, type DirectionPlan, type Fault, planConnection } from "./chaos-plan.js";
import { startChaosProxy } from "./chaos-proxy.js";

const every: ReadonlySet<Fault> = new Set<Fault>([
  "latency",
  "pieces",
  "stall",
  "slow",
  "silence",
  "cut",
  "half-close",
  "reset",
  "refused",
]);
const data = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251));

/** A proxy before a server that sends back what it gets. */
async function throughProxy(
  plan: Partial<ConnectionPlan>,
  tcp: boolean,
  work: (socket: Socket, done: ReadonlyMap<string, number>) => Promise<void>,
): Promise<void> {
  const allClosed = watchHandles();
  {
    await using folder = await tempFolder();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    await once(server.listen(folder.file("s")), "listening");
    const whole = { refused: false, toServer: calmDirection, toClient: calmDirection, ...plan };
    const where = tcp ? {} : { path: folder.file("p") };
    const proxy = await startChaosProxy({
      target: folder.file("s"),
      ...where,
      faults: new Set(),
      seed: 1,
      plan: () => whole,
    });
    const [, port] = /:(\d+)$/.exec(proxy.address) ?? [];
    const socket =
      port === undefined ? createConnection(folder.file("p")) : createConnection(Number(port), "127.0.0.1");
    await work(socket, proxy.done);
    socket.destroy();
    server.close();
    await proxy[Symbol.asyncDispose]();
  }
  await allClosed();
}

const slowly: [string, Partial<DirectionPlan>][] = [
  ["as it comes", {}],
  ["late", { latencyMs: 3 }],
  ["in single bytes", { pieceBytes: 1 }],
  ["in pieces", { pieceBytes: 1000, latencyMs: 1 }],
  ["after a stall", { stall: { afterBytes: 1000, ms: 30 } }],
  ["to a slow reader", { bytesPerMs: 5000 }],
];

test.each(slowly)("all bytes arrive, in order, %s", async (_, plan) => {
  const direction = { ...calmDirection, ...plan };
  await throughProxy({ toServer: direction, toClient: direction }, false, async (socket) => {
    const back = buffer(socket);
    socket.end(data);
    expect((await back).equals(data)).toBe(true);
  });
});

test.each(["cut", "half-close"] as const)("a connection ends by %s after as many bytes as planned", async (how) => {
  const toClient = { ...calmDirection, ending: { afterBytes: 12_345, how } };
  await throughProxy({ toClient }, false, async (socket, done) => {
    const back = buffer(socket);
    socket.on("error", () => {});
    socket.write(data);
    // What was closed with bytes unread may be told as a reset.
    const got = await back.catch(() => undefined);
    if (how === "half-close") expect(got?.length).toBe(12_345);
    else if (got !== undefined) expect(got.length).toBeLessThanOrEqual(12_345);
    expect([...done]).toEqual([[how, 1]]);
  });
});

test("a reset is one", async () => {
  const toServer = { ...calmDirection, ending: { afterBytes: 10, how: "reset" as const } };
  await throughProxy({ toServer }, true, async (socket, done) => {
    const failed = new Promise((resolve) => socket.on("close", resolve));
    const errors: string[] = [];
    socket.on("error", (error: NodeJS.ErrnoException) => errors.push(`${error.code}`));
    socket.resume().write(data.subarray(0, 100));
    await failed;
    expect(errors).toEqual(["ECONNRESET"]);
    expect([...done]).toEqual([["reset", 1]]);
  });
});

test("a refused connection is closed before anything comes", async () => {
  await throughProxy({ refused: true }, false, async (socket) => {
    expect(await buffer(socket)).toHaveLength(0);
  });
});

test("the same seed plans the same, and all kinds of faults come up", () => {
  const plans = (seed: number): ConnectionPlan[] =>
    Array.from({ length: 300 }, (_, n) => planConnection(new SimRandom(seed * 7919 + n), every));
  expect(plans(5)).toEqual(plans(5));
  expect(plans(5)).not.toEqual(plans(6));
  const all = plans(5).flatMap(({ refused, toServer, toClient }) => [refused, ...[toServer, toClient].flatMap(kinds)]);
  const wanted = ["cut", "half-close", "latency", "pieces", "reset", "slow", "stall", true];
  expect([...new Set(all)].filter((kind) => kind !== false).sort()).toEqual(wanted.sort());
});

function kinds({ latencyMs, pieceBytes, stall, bytesPerMs, ending }: DirectionPlan): (string | false)[] {
  return [
    latencyMs > 0 && "latency",
    pieceBytes > 0 && "pieces",
    stall !== undefined && "stall",
    bytesPerMs > 0 && "slow",
    ending?.how ?? false,
  ];
}
