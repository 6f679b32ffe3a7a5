// Serves ross.ContainerService with containers that are supervised processes of this host.
import type { ContainerService } from "@guestwire/ross";
import type { Handlers } from "@guestwire/rpc";
import { invalid, missing } from "../../errors.js";
import type { Mailbox } from "../../mailbox.js";
import { attachContainer } from "./attach.js";
import { containerStats } from "./container-stats.js";
import type { RossContainerStore } from "./container-store.js";
import { describeContainer, inspectContainer } from "./describe.js";
import { getLogs } from "./get-logs.js";
import { filterContainers } from "./list-filter.js";
import type { Piece } from "./output-hub.js";
import { runInteractive, waitContainer } from "./run-interactive.js";
import { signalNumber } from "./signals.js";

/** The container service. */
export function createContainerService(store: RossContainerStore): Handlers<typeof ContainerService> {
  return {
    createContainer: (request) => store.create(request),

    async startContainer({ containerId }) {
      store.refuseWhenClosed();
      await store.get(containerId).start();
      return {};
    },

    async stopContainer({ containerId, timeout }) {
      await store.get(containerId).stop(secondsOf(timeout));
      return {};
    },

    async restartContainer({ containerId, timeout }) {
      store.refuseWhenClosed();
      await store.get(containerId).restart(secondsOf(timeout));
      return {};
    },

    async listContainers(request) {
      const found = filterContainers(store.all, request);
      return { containers: await Promise.all(found.map((container) => describeContainer(container, request.size))) };
    },

    inspectContainer: ({ containerId, size }) => inspectContainer(store.get(containerId), size),

    async removeContainer({ containerId, force, link }) {
      const container = store.get(containerId);
      if (link) throw missing("link", containerId, "this guest has no links");
      await store.remove(container, force);
      return {};
    },

    async pauseContainer({ containerId }) {
      await store.get(containerId).pause();
      return {};
    },

    async unpauseContainer({ containerId }) {
      await store.get(containerId).unpause();
      return {};
    },

    async *getLogs(request, { signal }) {
      yield* getLogs(store.get(request.containerId), request, signal);
    },

    exec({ containerId, config }) {
      store.refuseWhenClosed();
      const container = store.get(containerId);
      if (config === undefined) throw invalid("config", "must be set");
      return { execId: container.execs.add(config) };
    },

    async *execStart({ execId, detach, tty }, { signal }) {
      store.refuseWhenClosed();
      const { execs } = store.withExec(execId);
      const streams = execs.streamsOf(execId);
      let pieces: Mailbox<Piece> | undefined;
      await execs.start(execId, tty, (run) => {
        if (!detach) pieces = run.hub.follow({ streams, stalls: true, signal });
      });
      if (pieces !== undefined) yield* pieces;
    },

    attach: (requests, { signal }) => attachContainer(store, requests, signal),

    wait: (request, { signal }) => waitContainer(store, request, signal),

    runInteractive: (requests, { signal }) => runInteractive(store, requests, signal),

    kill({ containerId, signal }) {
      const container = store.get(containerId);
      container.kill(signalNumber(signal, "signal"));
      return {};
    },

    async rename({ containerId, newName }) {
      const container = store.get(containerId);
      await store.rename(container, newName);
      return {};
    },

    async *stats(request, { signal }) {
      yield* containerStats(store.get(request.containerId), request, signal);
    },
  };
}

/** 0 means the container's own. */
function secondsOf(timeout: number): number | undefined {
  if (timeout < 0) throw invalid("timeout", "must not be negative");
  return timeout === 0 ? undefined : timeout;
}
