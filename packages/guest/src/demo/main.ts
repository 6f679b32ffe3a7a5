// The demo: a guest as a process of its own, and a client that does with it what users do. Ends with 0 only when
// everything was as it should be. Run by `npx -y pnpm@12 demo`.
import { connect as connectGrpc } from "@guestwire/grpc";
import type { Channel } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { bothWiresStep, jobletStep, rossStep } from "./grpc-steps.js";
import { startGuest } from "./guest-process.js";
import { agentStep, cancelStep, errorStep, machineStep, systemStep } from "./steps.js";
import { createTaskSteps } from "./task-steps.js";
import { createTranscript } from "./transcript.js";
import { arcboxStep, hybridStep, streamsStep } from "./vm-steps.js";

const left = new AbortController();
const transcript = createTranscript(left.signal);
const starting = startGuest();

// Whoever leaves early, with Ctrl-C or as a reader that had enough, leaves no guest and no folder behind.
async function leave(exitCode: number): Promise<void> {
  left.abort();
  process.exitCode = exitCode;
  await starting.then((started) => started.stop()).catch(() => {});
  process.exit(exitCode);
}
for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => void leave(exitCode));
}
process.stdout.on("error", () => void leave(1));

transcript.title(
  "Guestwire demo",
  "a guest in a process of its own, a typed client, and between them ttrpc and gRPC, unix sockets and hybrid vsock",
);

const { pid, address, grpcAddress, monitor, stop } = await starting.catch((error: Error) => {
  if (!left.signal.aborted) process.stderr.write(`demo: ${error.message}\n`);
  process.exit(process.exitCode ?? 1);
});
let channel: Channel | undefined;
let events: Channel | undefined;
let grpc: Channel | undefined;
try {
  await transcript.step("Connect", async () => {
    transcript.fact("guest", `process ${pid}`);
    transcript.fact("address", address);
    channel = connect(address, { timeoutMs: 10_000 });
    // A stream that lasts has a connection of its own, so that nothing else waits behind it.
    events = connect(address);
    grpc = connectGrpc(grpcAddress, { timeoutMs: 30_000 });
  });
  if (channel !== undefined && events !== undefined && grpc !== undefined) {
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
    await bothWiresStep(transcript, channel, grpc);
    await rossStep(transcript, grpc);
    await jobletStep(transcript, grpc);
    await hybridStep(transcript, monitor);
    await streamsStep(transcript, monitor);
    await arcboxStep(transcript, monitor);
  }
} finally {
  await transcript.step("Close", async () => {
    await events?.close();
    await channel?.close();
    await grpc?.close();
    transcript.call("channel.close()");
    const code = await stop();
    transcript.check("the guest ends cleanly on SIGTERM", code === 0, code);
  });
}
process.exitCode = transcript.summary() ? 0 : 1;
