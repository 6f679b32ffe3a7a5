// A load of idempotent calls that never pauses: several callers, each of which calls again as soon as it has its answer.
import { MachineService } from "@guestwire/machine";
import { type Channel, createClient, RpcError } from "@guestwire/rpc";

/** Calls that go on until they are stopped. */
export interface Load {
  /** How many calls each guest has answered since the last `count()`. */
  readonly answered: ReadonlyMap<string, number>;
  /** How many calls were made in all. */
  readonly total: number;
  /** What went wrong, in all. */
  readonly failures: readonly RpcError[];
  /** Begins to count anew. */
  count(): void;
  /** Waits until each of these guests has answered as many calls as that since the last `count()`. */
  until(names: readonly string[], calls: number): Promise<void>;
  /** Lets the running calls come to their end. */
  stop(): Promise<void>;
}

/** Starts the load. A guest is known by its only machine, which has the guest's name. */
export function startLoad(channel: Channel, callers: number): Load {
  const machines = createClient(MachineService, channel);
  const failures: RpcError[] = [];
  let answered = new Map<string, number>();
  let total = 0;
  let stopped = false;
  let check = (): void => {};

  const call = async (): Promise<void> => {
    while (!stopped) {
      try {
        // `option idempotency_level = NO_SIDE_EFFECTS` in the schema: this call may be repeated.
        const { machines: all } = await machines.list({ all: true });
        const name = all[0]?.name ?? "nobody";
        answered.set(name, (answered.get(name) ?? 0) + 1);
      } catch (error) {
        failures.push(RpcError.from(error));
      }
      total++;
      check();
    }
  };
  const calls = Array.from({ length: callers }, call);

  return {
    get answered() {
      return answered;
    },
    get total() {
      return total;
    },
    failures,
    count() {
      answered = new Map();
    },
    until: (names, wanted) =>
      new Promise((resolve) => {
        check = () => {
          if (names.every((name) => (answered.get(name) ?? 0) >= wanted)) resolve();
        };
      }),
    async stop() {
      stopped = true;
      await Promise.all(calls);
    },
  };
}
