// What keeps a process alive: neither an idle channel nor what a closed server has left behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { testAgent, until } from "./agent.test.support.js";

const loader = new URL("../../ttrpc/test/support/run-source.mjs", import.meta.url).pathname;
const script = `
  import { createAgentServiceClient } from "@guestwire/agent";
  import { connect } from "@guestwire/arcbox-frames";
  const agent = createAgentServiceClient(connect(process.argv[1]));
  await agent.ping({});
  // On the connection that was idle meanwhile.
  await new Promise((resolve) => setImmediate(resolve));
  console.log((await agent.ping({ message: "done" })).message);
`;

test("a process ends with its channel open, and not in the middle of a call", async () => {
  const asked = Promise.withResolvers<void>();
  await using agent = await testAgent({
    agent: {
      async ping({ message }) {
        if (message === "done") asked.resolve();
        // So long that a process which does not wait would be gone.
        for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
        return { message };
      },
    },
  });
  const args = ["--import", loader, "--input-type=module", "--eval", script, "--", agent.address];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  expect(String((await once(child.stdout, "data"))[0])).toBe("done\n");
  expect(await ended).toEqual([0, null]);
  await asked.promise;
});

test("a server that has closed leaves no timer behind", async () => {
  await using agent = await testAgent({});
  const client = connectSocket(agent.address.slice("unix://".length));
  await until(() => agent.server.connections === 1);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  await agent.server.close();
  expect(vi.getTimerCount()).toBe(0);
  client.destroy();
});
