// How both processes of a stack are under load: how late their event loops come, and how much memory they ever took.
// The loops are watched in a round of their own, behind the measured ones: the timer that watches costs CPU.
import type { LoopDelay } from "./observe.js";
import type { Ends } from "./peer-process.js";
import { type Resident, residentOf } from "./resident.js";

/** What was seen of one end. */
export interface WatchedEnd {
  /** `undefined` for programs that have no event loop. */
  readonly loopDelay: LoopDelay | undefined;
  /** The most memory that the process ever had, in bytes; NaN where the system does not tell. */
  readonly peakRss: number;
  /** How much more that is than before its first call. */
  readonly rssGrowth: number;
}

/** What was seen of both. */
export interface Watched {
  readonly client: WatchedEnd;
  readonly server: WatchedEnd;
}

/** A stack that is watched. */
export interface Watch {
  /** Has the stack work once more, with its event loops watched, and gives all that was seen. */
  end(work: () => Promise<unknown>, limitMs: number): Promise<Watched>;
}

/** Looks at both processes before their first call. Costs them nothing. */
export function beginWatch({ client, server }: Ends): Watch {
  const clientBefore = residentOf(client.pid);
  const serverBefore = residentOf(server.pid);
  return {
    async end(work, limitMs) {
      const ends = [client, server] as const;
      await Promise.all(ends.map((end) => (end.foreign ? undefined : end.ask({ do: "watch" }, limitMs))));
      await work();
      const [ofClient, ofServer] = await Promise.all(
        ends.map((end) => (end.foreign ? undefined : end.ask({ do: "watched" }, limitMs))),
      );
      return {
        client: seen(ofClient?.loopDelay, clientBefore, residentOf(client.pid)),
        server: seen(ofServer?.loopDelay, serverBefore, residentOf(server.pid)),
      };
    },
  };
}

function seen(loopDelay: LoopDelay | undefined, before: Resident, after: Resident): WatchedEnd {
  return { loopDelay, peakRss: after.peak, rssGrowth: after.peak - before.now };
}
