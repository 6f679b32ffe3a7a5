// A server that does not live long: stopped for a while, or killed and started again, in turn, as the seed has it.
import { setTimeout as sleep } from "node:timers/promises";
import { SimRandom } from "../sim/random.js";
import { type Program, startProgram } from "./programs.js";

/** A server that is stopped and killed. Disposing it ends it for good. */
export interface MortalServer extends AsyncDisposable {
  /** How often it was stopped and killed so far. */
  readonly done: { readonly stopped: number; readonly killed: number };
}

/** Starts it. */
export async function startMortalServer(address: string, seed: number): Promise<MortalServer> {
  const random = new SimRandom(seed);
  const done = { stopped: 0, killed: 0 };
  const ending = new AbortController();
  const { signal } = ending;
  const begin = async (): Promise<Program> => {
    const started = startProgram("server-process");
    await started.ask({ ask: "listen", address });
    return started;
  };
  let server = await begin();
  const rest = (low: number, high: number): Promise<unknown> =>
    sleep(random.int(low, high), undefined, { signal }).catch(() => {});
  const life = (async () => {
    for (;;) {
      await rest(1500, 4000);
      if (signal.aborted) return;
      if (random.chance(0.5)) {
        server.kill("SIGSTOP");
        done.stopped++;
        await rest(100, 2500);
        server.kill("SIGCONT");
      } else {
        server.kill("SIGKILL");
        done.killed++;
        await server.ended;
        await rest(0, 500);
        server = await begin();
      }
    }
  })();
  return {
    done,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await life;
      await server[Symbol.asyncDispose]();
    },
  };
}
