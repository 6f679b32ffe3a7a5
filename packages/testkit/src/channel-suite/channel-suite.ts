// What every channel with a server behind it does alike, whatever lies between: the same tests for each of them.
// Says nothing about a wire. Needs vitest, so the package's index leaves it out.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { turns } from "../fake-clock.js";
import { watchHandles } from "../handles.js";
import { cancellation } from "./cancellation.js";
import { closing } from "./closing.js";
import { contexts } from "./contexts.js";
import { deadlines } from "./deadlines.js";
import { failures } from "./errors.js";
import { type ChannelKind, opener } from "./harness.js";
import { interceptors } from "./interceptors.js";
import { kinds } from "./kinds.js";
import { requestStreams } from "./request-streams.js";

/** Declares the suite for one kind of channel. */
export function channelSuite(kind: ChannelKind): void {
  describe(kind.name, () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): void => void unhandled.push(reason);
    const handlesGone = watchHandles();
    beforeAll(() => void process.on("unhandledRejection", listener));
    afterAll(async () => {
      await turns();
      process.off("unhandledRejection", listener);
      expect(unhandled).toEqual([]);
      await handlesGone();
    });

    const open = opener(kind);
    kinds(open);
    failures(open);
    deadlines(open);
    cancellation(open);
    requestStreams(open);
    contexts(open, kind.headers ?? false);
    interceptors(open);
    closing(open);
  });
}
