// A proxy between real sockets that does to each connection what its plan says. Knows bytes only, no frames.
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { SimRandom } from "../sim/random.js";
import { type ConnectionPlan, type DirectionPlan, type Fault, planConnection } from "./chaos-plan.js";

/** What a proxy does, and where. */
export interface ChaosProxyOptions {
  /** The server's socket file. */
  readonly target: string;
  /** The proxy's own socket file; without it, it listens on a TCP port of the loopback, where resets are possible. */
  readonly path?: string;
  readonly faults: ReadonlySet<Fault>;
  readonly seed: number;
  /** Decides for connection number n, instead of the seed. */
  readonly plan?: (connection: number) => ConnectionPlan;
}

/** A running proxy. Disposing it ends all connections. */
export interface ChaosProxy extends AsyncDisposable {
  /** Where clients connect. */
  readonly address: string;
  /** How often something was done, by name. */
  readonly done: ReadonlyMap<string, number>;
  /** Connections that were accepted. */
  readonly accepted: number;
  /** Connections that are open now. */
  readonly open: number;
}

/** Starts a proxy. */
export async function startChaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  const { target, path, faults, seed } = options;
  const ending = new AbortController();
  const sockets = new Set<Socket>();
  const done = new Map<string, number>();
  const count = (name: string): void => void done.set(name, (done.get(name) ?? 0) + 1);
  let accepted = 0;
  const planOf = options.plan ?? ((n: number) => planConnection(new SimRandom(seed * 7919 + n), faults));

  const accept = (front: Socket): void => {
    const plan = planOf(accepted++);
    track(front, sockets);
    if (plan.refused) {
      count("refused");
      return void front.destroy();
    }
    const back = createConnection({ path: target, allowHalfOpen: true });
    track(back, sockets);
    const over = new AbortController();
    const pump = { count, closed: AbortSignal.any([over.signal, ending.signal]) };
    const both = (): void => {
      over.abort();
      front.destroy();
      back.destroy();
    };
    // A side that ended well is not the end of the other one: what it sent may still be on its way.
    for (const socket of [front, back]) socket.on("error", both);
    const ended = (kept: boolean): void => {
      if (!kept) both();
    };
    void carry(front, back, plan.toServer, pump).then(ended, both);
    void carry(back, front, plan.toClient, pump).then(ended, both);
  };

  const open = async (where: string | { port: number; host: string }): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true }, accept);
    await once(server.listen(where), "listening");
    return server;
  };
  let server = await open(path ?? { port: 0, host: "127.0.0.1" });
  const port = path === undefined ? (server.address() as { port: number }).port : 0;
  const goesAway = faults.has("away") ? comeAndGo() : undefined;

  /** Listens, and listens not, in turn: connections are refused meanwhile, those that are open stay. */
  async function comeAndGo(): Promise<void> {
    const random = new SimRandom(seed);
    while (!ending.signal.aborted) {
      await sleep(random.int(500, 3000), undefined, { signal: ending.signal }).catch(() => {});
      if (ending.signal.aborted) return;
      server.close();
      count("away");
      await sleep(random.int(20, 800), undefined, { signal: ending.signal }).catch(() => {});
      server = await open(path ?? { port, host: "127.0.0.1" });
    }
  }

  return {
    address: path === undefined ? `tcp://127.0.0.1:${port}` : `unix://${path}`,
    done,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await goesAway;
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

function track(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
}

interface Pump {
  count(name: string): void;
  readonly closed: AbortSignal;
}

/** Carries one direction to its end. Resolves with whether the other one may go on; rejects when the connection is over. */
async function carry(from: Socket, to: Socket, plan: DirectionPlan, { count, closed }: Pump): Promise<boolean> {
  const { latencyMs, pieceBytes, stall, bytesPerMs, ending } = plan;
  let carried = 0;
  let stalled = stall === undefined;
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (latencyMs > 0) await sleep(latencyMs, undefined, { signal: closed });
    // Pieces of one byte would take for ever of a large message; its beginning shows what they do.
    let small = 512;
    for (let at = 0; at < chunk.length; ) {
      let bytes = pieceBytes === 0 ? chunk.length - at : small > 0 ? pieceBytes : Math.max(pieceBytes, 4000);
      if (bytesPerMs > 0) bytes = Math.min(bytes, bytesPerMs * 10);
      if (ending !== undefined) bytes = Math.min(bytes, Math.max(ending.afterBytes - carried, 0));
      const piece = chunk.subarray(at, at + bytes);
      at += piece.length;
      small -= piece.length;
      carried += piece.length;
      if (piece.length > 0 && !to.write(piece)) await once(to, "drain", { signal: closed });
      if (!stalled && carried >= (stall as { afterBytes: number }).afterBytes) {
        stalled = true;
        const { ms } = stall as { ms: number };
        count(ms >= 8000 ? "silence" : "stall");
        await sleep(ms, undefined, { signal: closed });
        if (ms >= 8000) return false;
      }
      if (ending !== undefined && carried >= ending.afterBytes) {
        count(ending.how);
        return end(from, to, ending.how);
      }
      if (bytesPerMs > 0) await sleep(piece.length / bytesPerMs, undefined, { signal: closed });
      else if (pieceBytes > 0) await turn();
    }
  }
  to.end();
  return true;
}

function end(from: Socket, to: Socket, how: "cut" | "half-close" | "reset"): boolean {
  if (how === "half-close") {
    to.end();
    // What still comes goes nowhere, so that the end of this side is seen.
    from.resume();
    return true;
  }
  if (how === "reset") {
    // A unix socket cannot be reset; closed with bytes that nobody has read, it looks so to the other side.
    for (const socket of [from, to]) if (socket.remoteAddress !== undefined) socket.resetAndDestroy();
  }
  return false;
}
