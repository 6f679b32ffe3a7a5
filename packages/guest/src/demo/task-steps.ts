// The steps of the demo around one container: a bundle, its process, a second process, and the events of it all.
import { Bundle } from "@guestwire/bundle/vminitd";
import { type Channel, createClient, type ResponseStream } from "@guestwire/rpc";
import { StdIO } from "@guestwire/stdio/vminitd";
import { System } from "@guestwire/system/vminitd";
import type { Envelope } from "@guestwire/types/containerd";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { ociConfig } from "./oci-config.js";
import type { Transcript } from "./transcript.js";

const id = "web";
const execId = "probe";
// Says what it was given, then answers every line of its input until the input ends.
const script = 'echo "$GREETING"; while read -r line; do echo "you said: $line"; done; echo bye >&2; exit 7';

/** The steps, in the order in which they are to run. */
export interface TaskSteps {
  bundle(): Promise<void>;
  run(): Promise<void>;
  exec(): Promise<void>;
  events(): Promise<void>;
}

/** Prepares the steps; the events are watched from here on. */
export function createTaskSteps(transcript: Transcript, channel: Channel, eventChannel: Channel): TaskSteps {
  const tasks = createClient(Task, channel);
  const stdio = createClient(StdIO, channel);
  const seen: Envelope[] = [];
  const stream: ResponseStream<Envelope> = createClient(Events, eventChannel).stream({});
  const lastExit = watch(stream, seen);
  // Who asks for it hears of a failure; before that it must not end the demo.
  lastExit.catch(() => {});
  let folder = "";

  return {
    bundle: () =>
      transcript.step("Create a bundle", async () => {
        // Requests of one connection are taken in order: once this is answered, the events are being watched.
        await createClient(System, eventChannel).info({});
        const config = ociConfig(["sh", "-c", script]);
        transcript.call(
          `bundles.create({ id: "${id}", files: { "config.json": <${config.length} bytes of OCI config> } })`,
        );
        const { bundle } = await createClient(Bundle, channel).create({ id, files: { "config.json": config } });
        folder = bundle;
        transcript.fact("bundle", bundle);
        transcript.check("the guest names the folder", bundle.endsWith(`/${id}`), bundle);
      }),

    run: () =>
      transcript.step("Run it, with input and streamed output", async () => {
        transcript.call(`tasks.create({ id: "${id}", bundle }); tasks.start({ id: "${id}" })`);
        await tasks.create({ id, bundle: folder });
        const stdout = text(stdio.readStdout({ containerId: id }, { timeoutMs: 0 }), transcript);
        const stderr = text(stdio.readStderr({ containerId: id }, { timeoutMs: 0 }), transcript);
        const { pid } = await tasks.start({ id });
        transcript.fact("process", `${pid}`);
        for (const line of ["one", "two"]) {
          transcript.call(`stdio.writeStdin({ containerId: "${id}", data: "${line}\\n" })`);
          await stdio.writeStdin({ containerId: id, data: Buffer.from(`${line}\n`) });
        }
        await stdio.closeStdin({ containerId: id });
        const { exitStatus } = await tasks.wait({ id });
        const output = await stdout;
        const errors = await stderr;
        transcript.fact("exit status", `${exitStatus}`);
        const expected = "hello from the bundle\nyou said: one\nyou said: two\n";
        transcript.check("output has the environment and every line of input", output === expected, output);
        transcript.check("errors come apart from output", errors === "bye\n", errors);
        transcript.check("the exit status is the command's", exitStatus === 7, exitStatus);
        await tasks.delete({ id });
      }),

    exec: () =>
      transcript.step("Run a second process beside the first", async () => {
        await createClient(Bundle, channel)
          .create({ id: "idle", files: { "config.json": ociConfig(["sleep", "600"]) } })
          .then(({ bundle }) => tasks.create({ id: "idle", bundle }));
        await tasks.start({ id: "idle" });
        const spec = {
          typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
          value: Buffer.from(
            JSON.stringify({ args: ["sh", "-c", "echo probed"], cwd: "/", env: ["PATH=/usr/bin:/bin"] }),
          ),
        };
        transcript.call(`tasks.exec({ id: "idle", execId: "${execId}", spec: { args: ["sh", "-c", "echo probed"] } })`);
        await tasks.exec({ id: "idle", execId, spec });
        const output = text(stdio.readStdout({ containerId: "idle", execId }, { timeoutMs: 0 }), transcript);
        await tasks.start({ id: "idle", execId });
        const probe = await tasks.wait({ id: "idle", execId });
        transcript.check("it runs and ends by itself", (await output) === "probed\n" && probe.exitStatus === 0, probe);
        transcript.call('tasks.kill({ id: "idle", signal: 15 })');
        await tasks.kill({ id: "idle", signal: 15, all: true });
        const { exitStatus } = await tasks.wait({ id: "idle" });
        transcript.check("killed, the first ends with 128 + 15", exitStatus === 143, exitStatus);
        await tasks.delete({ id: "idle" });
      }),

    events: () =>
      transcript.step("Read the events of it all", async () => {
        await lastExit;
        for (const { topic, namespace, event } of seen)
          transcript.output(`${topic.padEnd(20)} ${namespace}  ${event?.typeUrl}`);
        const topics = seen.map(({ topic }) => topic);
        const expected = ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"];
        transcript.check(
          "create, start, exit and delete came in order",
          expected.every((topic, at) => topics.filter((one) => expected.includes(one))[at] === topic),
          topics,
        );
        transcript.check(
          "the second process was announced",
          topics.includes("/tasks/exec-added") && topics.includes("/tasks/exec-started"),
          topics,
        );
        transcript.check(
          "types are named as containerd does",
          seen.every(({ event }) => event?.typeUrl.startsWith("containerd.events.")),
        );
        await stream.return?.();
      }),
  };
}

/** Collects events until both containers are deleted. */
async function watch(stream: AsyncIterable<Envelope>, seen: Envelope[]): Promise<void> {
  let deleted = 0;
  for await (const envelope of stream) {
    seen.push(envelope);
    if (envelope.topic === "/tasks/delete" && ++deleted === 2) return;
  }
}

/** Reads a stream of output to its end, printing it line by line. */
async function text(chunks: AsyncIterable<{ data: Uint8Array }>, transcript: Transcript): Promise<string> {
  let all = "";
  for await (const { data } of chunks) {
    const part = Buffer.from(data).toString();
    all += part;
    for (const line of part.split("\n").filter(Boolean)) transcript.output(line);
  }
  return all;
}
