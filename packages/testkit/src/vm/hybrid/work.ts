// What a host does with a guest that is well: bundles, processes, bulk output, events, many calls, both wires.
import { createHash } from "node:crypto";
import { AgentService } from "@guestwire/agent";
import { Bundle } from "@guestwire/bundle/vminitd";
import { type Channel, createClient } from "@guestwire/rpc";
import { StdIO } from "@guestwire/stdio/vminitd";
import { System } from "@guestwire/system/vminitd";
import type { Envelope } from "@guestwire/types/containerd";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { type Checks, expect } from "../checks.js";

const bulkBytes = 100 << 20;
// Numbers, so that no part can be lost, doubled or moved without a trace.
const lastNumber = 13_000_000;

/** Creates a container of a shell script. The container's process is not started yet. */
export async function createContainer(channel: Channel, id: string, script: string): Promise<string> {
  const config = {
    ociVersion: "1.2.0",
    root: { path: "rootfs" },
    process: { user: { uid: 0, gid: 0 }, args: ["sh", "-c", script], env: ["PATH=/usr/bin:/bin"], cwd: "/" },
  };
  const files = { "config.json": Buffer.from(JSON.stringify(config)) };
  const { bundle } = await createClient(Bundle, channel).create({ id, files });
  await createClient(Task, channel).create({ id, bundle });
  return bundle;
}

/** Runs the checks over one channel, with a second one for events as a host has it, and one over gRPC. */
export async function workChecks(checks: Checks, channel: Channel, events: Channel, grpc: Channel): Promise<void> {
  const tasks = createClient(Task, channel);
  const seen: Envelope[] = [];
  const stream = createClient(Events, events).stream({}, { timeoutMs: 0 });
  const watched = watch(stream, seen, "bulk");
  watched.catch(() => {});
  // Requests of one connection are taken in order: once this is answered, the events are being watched.
  await createClient(System, events).info({});

  await checks.check("a bundle is created, and a container of it", async () => {
    const bundle = await createContainer(channel, "bulk", `seq 1 ${lastNumber} | head -c ${bulkBytes}`);
    expect("the folder is named after the bundle", bundle.endsWith("/bulk"), bundle);
    return undefined;
  });

  await checks.check("100 MiB of output arrive unchanged", async () => {
    const wanted = expectedDigest();
    const hash = createHash("sha256");
    let bytes = 0;
    const output = createClient(StdIO, channel).readStdout({ containerId: "bulk" }, { timeoutMs: 0 });
    await tasks.start({ id: "bulk" });
    const began = performance.now();
    for await (const { data } of output) {
      hash.update(data);
      bytes += data.length;
    }
    const seconds = (performance.now() - began) / 1000;
    expect(`${bulkBytes} bytes came`, bytes === bulkBytes, bytes);
    const digest = hash.digest("hex");
    expect(`their SHA-256 is ${wanted}`, digest === wanted, digest);
    const { exitStatus } = await tasks.wait({ id: "bulk" });
    expect("the process ended with 0", exitStatus === 0, exitStatus);
    await tasks.delete({ id: "bulk" });
    return `${(bulkBytes / 2 ** 20 / seconds).toFixed(1)} MiB/s`;
  });

  await checks.check("events of it arrive in order", async () => {
    await watched;
    const topics = seen.map(({ topic }) => topic);
    const wanted = ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"];
    expect(`the topics are ${wanted.join(" ")}`, topics.join() === wanted.join(), topics);
    return `${topics.length} events`;
  });

  await checks.check("1,000 calls at once are all answered, each with its own answer", async () => {
    const agent = createClient(AgentService, channel);
    const messages = Array.from({ length: 1000 }, (_, i) => `call ${i}`);
    const began = performance.now();
    const answers = await Promise.all(messages.map((message) => agent.ping({ message })));
    const seconds = (performance.now() - began) / 1000;
    const wrong = answers.findIndex(({ message }, i) => message !== `pong: ${messages[i]}`);
    expect("every answer is that of its call", wrong < 0, { call: messages[wrong], answer: answers[wrong]?.message });
    return `${(messages.length / seconds).toFixed(0)} calls/s`;
  });

  await checks.check("gRPC: a unary call", async () => {
    const { version } = await createClient(System, grpc).info({});
    const other = await createClient(System, channel).info({});
    expect("both wires tell the same version", version === other.version, [version, other.version]);
    return `guest ${version}`;
  });

  await checks.check("gRPC: a stream", async () => {
    await createContainer(grpc, "lines", "seq 1 100000");
    let text = "";
    const output = createClient(StdIO, grpc).readStdout({ containerId: "lines" });
    await createClient(Task, grpc).start({ id: "lines" });
    for await (const { data } of output) text += Buffer.from(data).toString();
    const lines = text.split("\n");
    const whole = lines.length === 100_001 && lines.every((line, i) => line === (i < 100_000 ? `${i + 1}` : ""));
    expect("all 100,000 lines came in order", whole, { lines: lines.length });
    return undefined;
  });
}

/** Collects events until this container is deleted. */
async function watch(stream: AsyncIterable<Envelope>, seen: Envelope[], id: string): Promise<void> {
  for await (const envelope of stream) {
    seen.push(envelope);
    if (envelope.topic === "/tasks/delete") return;
  }
  throw new Error(`the events ended before ${id} was deleted`);
}

function expectedDigest(): string {
  const hash = createHash("sha256");
  let left = bulkBytes;
  for (let from = 1; left > 0; from += 100_000) {
    let text = "";
    for (let i = from; i < from + 100_000; i++) text += `${i}\n`;
    hash.update(text.slice(0, left));
    left -= Math.min(left, text.length);
  }
  return hash.digest("hex");
}
