// Serves arcbox.v1.AgentService: health, facts, the container runtime, the end of the guest.
import type { AgentService } from "@guestwire/agent";
import { Code, type Handlers } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import { failure, invalid, missing } from "../errors.js";
import { readFacts } from "../system/kernel.js";
import { version } from "../version.js";
import type { Runtime } from "./runtime.js";

// ArcBox's agents have this grace where the request says nothing.
const defaultGraceSeconds = 25;
// Times that a Date can hold.
const latestSeconds = 8_640_000_000_000n;

/** What the agent service is made of. */
export interface AgentParts {
  readonly clock: GuestClock;
  readonly runtime: Runtime;
  /** Ends the guest after the answer was sent. */
  requestShutdown(graceMs: number): void;
}

/** The two calls that every agent answers, that of a machine too. */
export function createAgentBasics(clock: GuestClock): Pick<Handlers<typeof AgentService>, "ping" | "getSystemInfo"> {
  return {
    ping({ message, timestampSecs }) {
      if (timestampSecs > latestSeconds) throw invalid("timestamp_secs", `${timestampSecs} is too far in the future`);
      if (timestampSecs > 0n) clock.set(Number(timestampSecs));
      return { message: message === "" ? "pong" : `pong: ${message}`, version };
    },
    getSystemInfo: () => readFacts(),
  };
}

/** The agent service of the guest. */
export function createAgentService({ clock, runtime, requestShutdown }: AgentParts): Handlers<typeof AgentService> {
  const noKubernetes = (): never => {
    throw failure(Code.Internal, "there is no Kubernetes in this guest");
  };
  return {
    ...createAgentBasics(clock),
    ensureRuntime: ({ startIfNeeded }) => runtime.ensure(startIfNeeded),
    getRuntimeStatus: () => runtime.status(),
    startKubernetes: noKubernetes,
    stopKubernetes: noKubernetes,
    deleteKubernetes: noKubernetes,
    // What is down shows in the answer, as for the runtime.
    getKubernetesStatus: () => ({ running: false, apiReady: false, detail: "there is no Kubernetes in this guest" }),
    getKubeconfig() {
      throw missing("kubeconfig", "", "there is no Kubernetes in this guest");
    },
    shutdown({ timeoutSeconds }) {
      requestShutdown((timeoutSeconds || defaultGraceSeconds) * 1000);
      return { accepted: true };
    },
  };
}
