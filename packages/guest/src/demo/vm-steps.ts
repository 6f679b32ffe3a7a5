// The steps of the demo that reach the guest as a host reaches its virtual machine: through the monitor's unix socket
// (hybrid vsock), by port.
import { AgentService } from "@guestwire/agent";
import { arcboxReady, connect as connectFrames } from "@guestwire/arcbox-frames";
import { Bundle } from "@guestwire/bundle/vminitd";
import { connect as connectGrpc } from "@guestwire/grpc";
import { createClient } from "@guestwire/rpc";
import { SandboxService } from "@guestwire/sandbox";
import { openStream } from "@guestwire/stdio/streams";
import { System } from "@guestwire/system/vminitd";
import { connect, waitReady } from "@guestwire/ttrpc";
import { Task } from "@guestwire/types/task/v3";
import { ociConfig } from "./oci-config.js";
import type { Transcript } from "./transcript.js";

/** The vsock ports of a guest: those of ArcBox, spinbox's RPC and raw streams, and one for gRPC. */
export const guestPorts = { arcbox: 1024, ttrpc: 1025, streams: 1026, grpc: 1030 } as const;

const timeoutMs = 30_000;

/** Waits for the guest behind the monitor, and calls it over ttrpc and gRPC. */
export async function hybridStep(transcript: Transcript, monitor: string): Promise<void> {
  await transcript.step("As a virtual machine: hybrid vsock", async () => {
    const address = `hvsock://${monitor}:${guestPorts.ttrpc}`;
    transcript.fact("address", address);
    const { attempts } = await waitReady(address, { timeoutMs });
    transcript.call(`waitReady("hvsock://…:${guestPorts.ttrpc}")   // ${attempts} probes`);
    await using ttrpc = connect(address, { timeoutMs });
    await using grpc = connectGrpc(`hvsock://${monitor}:${guestPorts.grpc}`, { timeoutMs });
    const [one, other] = await Promise.all([ttrpc, grpc].map((channel) => createClient(System, channel).info({})));
    transcript.call(
      `connect("hvsock://…:${guestPorts.ttrpc}"), connect("hvsock://…:${guestPorts.grpc}")   // ttrpc, gRPC`,
    );
    transcript.check("both wires reach the guest by port", one?.version === other?.version, [one, other]);
    await using nobody = connect(`hvsock://${monitor}:9`, { timeoutMs });
    const refusal = await createClient(System, nobody).info({}).catch(String);
    transcript.output(`${refusal}`);
    transcript.check("a port that nobody serves is a clear error", `${refusal}`.includes("[unavailable]"), refusal);
  });
}

/** Gives a process its input and takes its output over raw streams. */
export async function streamsStep(transcript: Transcript, monitor: string): Promise<void> {
  await transcript.step("spinbox's raw streams", async () => {
    await using channel = connect(`hvsock://${monitor}:${guestPorts.ttrpc}`, { timeoutMs });
    const tasks = createClient(Task, channel);
    const files = { "config.json": ociConfig(["tr", "a-z", "A-Z"]) };
    const { bundle } = await createClient(Bundle, channel).create({ id: "streams", files });
    const target = `hvsock://${monitor}:${guestPorts.streams}`;
    const stdin = await openStream(target, { timeoutMs });
    const stdout = await openStream(target, { timeoutMs });
    transcript.call(`const stdin = await openStream("hvsock://…:${guestPorts.streams}")   // ${stdin.url}`);
    transcript.call(`tasks.create({ id: "streams", bundle, stdin: "${stdin.url}", stdout: "${stdout.url}" })`);
    await tasks.create({ id: "streams", bundle, stdin: stdin.url, stdout: stdout.url });
    await tasks.start({ id: "streams" });
    stdin.end("bytes, not messages\n");
    let text = "";
    for await (const part of stdout) text += part;
    transcript.output(text.trimEnd());
    const { exitStatus } = await tasks.wait({ id: "streams" });
    transcript.check("what goes in comes out", text === "BYTES, NOT MESSAGES\n" && exitStatus === 0, text);
    await tasks.delete({ id: "streams" });
  });
}

/** Speaks to the agent as ArcBox does, and runs a command in a sandbox. */
export async function arcboxStep(transcript: Transcript, monitor: string): Promise<void> {
  await transcript.step("ArcBox in its own frames", async () => {
    const address = `hvsock://${monitor}:${guestPorts.arcbox}`;
    transcript.fact("address", address);
    await using channel = connectFrames(address, { timeoutMs });
    await arcboxReady(channel, { timeoutMs });
    const { message } = await createClient(AgentService, channel).ping({ message: "hello" });
    transcript.call(
      'createClient(AgentService, connect(…)).ping({ message: "hello" })   // of @guestwire/arcbox-frames',
    );
    transcript.check("the agent answers", message === "pong: hello", message);
    const sandboxes = createClient(SandboxService, channel);
    const events = sandboxes.events({ id: "demo" }, { timeoutMs: 0 });
    const ready = untilReady(events);
    await sandboxes.create({ id: "demo" });
    await ready;
    transcript.call('sandboxes.create({ id: "demo" }); sandboxes.run({ id: "demo", cmd: ["sh", "-c", "…"] })');
    let text = "";
    let exitCode: number | undefined;
    for await (const output of sandboxes.run({ id: "demo", cmd: ["sh", "-c", "echo in a sandbox; exit 4"] })) {
      if (output.done) exitCode = output.exitCode;
      else text += Buffer.from(output.data);
    }
    transcript.output(text.trimEnd());
    transcript.check("a command runs in a sandbox", text === "in a sandbox\n" && exitCode === 4, { text, exitCode });
    await sandboxes.remove({ id: "demo", force: true });
  });
}

async function untilReady(events: AsyncIterable<{ action: string }>): Promise<void> {
  for await (const { action } of events) if (action === "ready") return;
  throw new Error("the events ended before the sandbox was ready");
}
