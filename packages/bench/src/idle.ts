// What streams and connections cost that are open and do nothing: memory before and after many were opened, per one.
import type { Memory } from "./observe.js";
import type { RunFigures } from "./peer.js";
import type { Ends } from "./peer-process.js";

/** What one stream or connection costs both ends, in bytes. */
export interface Idle {
  readonly client: Memory;
  readonly server: Memory;
  /** What it took to open them. */
  readonly figures: RunFigures;
}

// As many come first and stay: compiled code, tables and pools that every process has are then no part of the difference.
const before = 500;

/** Opens things and compares. @param limitMs How long each step may take. */
export async function measureIdle({ client, server }: Ends, count: number, limitMs: number): Promise<Idle> {
  const open = { do: "open", serverPid: server.pid } as const;
  await client.ask({ ...open, count: before }, limitMs);
  const clientBefore = await memoryOf(client, limitMs);
  const serverBefore = await memoryOf(server, limitMs);
  const { figures } = await client.ask({ ...open, count }, limitMs);
  const per = (after: Memory, { heap, rss }: Memory): Memory => ({
    heap: (after.heap - heap) / count,
    rss: (after.rss - rss) / count,
  });
  return {
    client: per(await memoryOf(client, limitMs), clientBefore),
    server: per(await memoryOf(server, limitMs), serverBefore),
    figures: figures as RunFigures,
  };
}

async function memoryOf(end: Ends["client"], limitMs: number): Promise<Memory> {
  return (await end.ask({ do: "memory" }, limitMs)).memory as Memory;
}
