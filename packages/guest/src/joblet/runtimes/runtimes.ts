// The runtimes of a guest: the programs of this host under a name, with variables, for jobs.
import { RuntimeService } from "@guestwire/joblet";
import type { JobletHome, RuntimesPart } from "../seams.js";
import { ProgramRunner } from "./run-program.js";
import { createRuntimeService, shuttingDown } from "./runtime-service.js";
import { RuntimeStore } from "./runtime-store.js";

/** How runtimes are tried out. */
export interface RuntimesOptions {
  /** How long a language's program may take to tell its version, in milliseconds. Default 10,000. */
  readonly programMs?: number;
}

/** Opens the runtimes. @throws {RpcError} Code.FailedPrecondition when one cannot be read. */
export async function openRuntimes(home: JobletHome, { programMs }: RuntimesOptions = {}): Promise<RuntimesPart> {
  const store = await RuntimeStore.open(home);
  const closing = new AbortController();
  const runner = new ProgramRunner(home.scratch, programMs);
  const service = createRuntimeService({ home, store, runner }, closing.signal);
  return {
    lookup: {
      find(spec) {
        const record = store.matching(spec).find((each) => store.isAvailable(each));
        return record && store.forJobs(record);
      },
    },
    register: (registry) => void registry.service(RuntimeService, service),
    async close() {
      closing.abort(shuttingDown());
    },
  };
}
