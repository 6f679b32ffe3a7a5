// The demo: a guest as a process of its own, and a client that does with it what users do. Ends with 0 only when
// everything was as it should be. Run by `npx -y pnpm@12 demo`.
import type { Channel } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { startGuest } from "./guest-process.js";
import { agentStep, cancelStep, errorStep, machineStep, systemStep } from "./steps.js";
import { createTaskSteps } from "./task-steps.js";
import { createTranscript } from "./transcript.js";

const transcript = createTranscript();
transcript.title(
  "Guestwire demo",
  "a guest in a process of its own, a typed client, ttrpc over a unix socket between them",
);

const guest = await startGuest();
let channel: Channel | undefined;
let events: Channel | undefined;
try {
  await transcript.step("Connect", async () => {
    transcript.fact("guest", `process ${guest.pid}`);
    transcript.fact("address", guest.address);
    channel = connect(guest.address, { timeoutMs: 10_000 });
    // A stream that lasts has a connection of its own, so that nothing else waits behind it.
    events = connect(guest.address);
  });
  if (channel !== undefined && events !== undefined) {
    await systemStep(transcript, channel);
    const tasks = createTaskSteps(transcript, channel, events);
    await tasks.bundle();
    await tasks.run();
    await tasks.exec();
    await tasks.events();
    await machineStep(transcript, channel);
    await agentStep(transcript, channel);
    await errorStep(transcript, channel);
    await cancelStep(transcript, channel);
  }
} finally {
  await transcript.step("Close", async () => {
    await events?.close();
    await channel?.close();
    transcript.call("channel.close()");
    const code = await guest.stop();
    transcript.check("the guest ends cleanly on SIGTERM", code === 0, code);
  });
}
process.exitCode = transcript.summary() ? 0 : 1;
