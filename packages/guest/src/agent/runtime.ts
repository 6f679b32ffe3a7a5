// The container runtime beside the guest: found by probing its sockets, started where the guest was told how.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RuntimeEnsureResponseSchema, RuntimeStatusResponseSchema } from "@guestwire/agent";
import { textOf } from "../errors.js";
import { type Probe, probeSocket } from "./probe.js";

/** Where the container runtime is, and how it is started. */
export interface RuntimeOptions {
  /** Path of dockerd's socket. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** Path of containerd's socket. Default `/run/containerd/containerd.sock`. */
  readonly containerdSocket?: string;
  /** What clients are told as the Docker API's address. Default `unix://` and the path of dockerd's socket. */
  readonly endpoint?: string;
  /** Starts both; resolves when they run. Default: the guest cannot start them. */
  readonly start?: () => Promise<void>;
}

/** The container runtime of one guest. */
export interface Runtime {
  status(): Promise<MessageInitShape<typeof RuntimeStatusResponseSchema>>;
  /** Never waits for a start: `starting` means to ask again. */
  ensure(startIfNeeded: boolean): Promise<MessageInitShape<typeof RuntimeEnsureResponseSchema>>;
}

/** Makes the view of the runtime. Opens nothing yet. */
export function createRuntime(options: RuntimeOptions = {}): Runtime {
  const { dockerSocket = "/var/run/docker.sock", containerdSocket = "/run/containerd/containerd.sock" } = options;
  const { endpoint = `unix://${dockerSocket}`, start } = options;
  let starting = false;
  let lastFailure = "";

  const begin = async (): Promise<void> => {
    starting = true;
    try {
      await start?.();
      lastFailure = "";
    } catch (error) {
      lastFailure = textOf(error);
    } finally {
      starting = false;
    }
  };
  const probe = async (): Promise<{ containerd: Probe; docker: Probe }> => {
    const [containerd, docker] = await Promise.all([probeSocket(containerdSocket), probeSocket(dockerSocket)]);
    return { containerd, docker };
  };
  return {
    async status() {
      const { containerd, docker } = await probe();
      return {
        containerdReady: containerd.status === "ready",
        dockerReady: docker.status === "ready",
        endpoint,
        detail: `containerd: ${containerd.detail}; dockerd: ${docker.detail}`,
        services: [
          { name: "containerd", ...containerd },
          { name: "dockerd", ...docker },
        ],
      };
    },
    async ensure(startIfNeeded) {
      const { docker } = await probe();
      if (docker.status === "ready") return { ready: true, endpoint, message: docker.detail, status: "reused" };
      if (!startIfNeeded) return { ready: false, endpoint, message: docker.detail, status: "failed" };
      if (start === undefined) {
        const message = `${docker.detail}; this guest was not told how to start a container runtime`;
        return { ready: false, endpoint, message, status: "failed" };
      }
      const message = lastFailure === "" ? "" : `the last start failed: ${lastFailure}`;
      if (!starting) void begin();
      return { ready: false, endpoint, message, status: "starting" };
    },
  };
}
