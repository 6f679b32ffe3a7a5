// The steps of the demo that stand alone: system, machine, agent, an error, a canceled stream.
import { AgentService } from "@guestwire/agent";
import { Bundle } from "@guestwire/bundle/vminitd";
import { MachineService } from "@guestwire/machine";
import { type Channel, Code, codeName, createClient, RpcError } from "@guestwire/rpc";
import { SystemInfo } from "@guestwire/system";
import { System } from "@guestwire/system/vminitd";
import { BadRequestSchema } from "@guestwire/types/google-rpc";
import type { Transcript } from "./transcript.js";

const gib = (bytes: bigint): string => `${(Number(bytes) / 2 ** 30).toFixed(1)} GiB`;

/** Asks for the system in both shapes. */
export async function systemStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Ask for the system", async () => {
    transcript.call("createClient(System, channel).info({})");
    const info = await createClient(System, channel).info({});
    transcript.fact("version", info.version);
    transcript.fact("kernel", info.kernelVersion.slice(0, 60));
    const { memoryBytes, cpuCount, kernelVersion } = await createClient(SystemInfo, channel).systemInfo({});
    transcript.fact("memory", gib(memoryBytes));
    transcript.fact("cpus", `${cpuCount}`);
    transcript.check("the kernel is named", info.kernelVersion.startsWith("Linux version"), info.kernelVersion);
    transcript.check(
      "both shapes agree on it",
      kernelVersion !== "" && info.kernelVersion.includes(kernelVersion.trim()),
      kernelVersion,
    );
    transcript.check("there is memory and a CPU", memoryBytes > 0n && cpuCount > 0, { memoryBytes, cpuCount });
  });
}

/** Creates a machine, runs a command in it and removes it. */
export async function machineStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Create and inspect a machine", async () => {
    const machines = createClient(MachineService, channel);
    transcript.call('machines.create({ name: "m1", cpus: 1, memory: 512 MiB })');
    const { id } = await machines.create({ name: "m1", cpus: 1, memory: 512n << 20n });
    await machines.start({ id });
    const info = await machines.inspect({ id });
    transcript.fact(
      "machine",
      `${info.id} ${info.state}, ${info.hardware?.cpus} CPU, ${gib(info.hardware?.memory ?? 0n)}`,
    );
    transcript.check("it runs", info.state === "running", info.state);
    transcript.call('machines.exec({ id, cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"] })');
    let stdout = "";
    let stderr = "";
    let exitCode: number | undefined;
    for await (const output of machines.exec({ id, cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"] })) {
      const text = Buffer.from(output.data).toString();
      if (output.stream === "stdout") stdout += text;
      if (output.stream === "stderr") stderr += text;
      if (output.done) exitCode = output.exitCode;
    }
    transcript.output(`stdout ${JSON.stringify(stdout)}, stderr ${JSON.stringify(stderr)}, exit code ${exitCode}`);
    transcript.check(
      "output and exit code are the command's",
      stdout === "out\n" && stderr === "err\n" && exitCode === 3,
    );
    await machines.stop({ id });
    const { machines: all } = await machines.list({ all: true });
    transcript.check(
      "stopped, it is still listed",
      all.some((one) => one.id === id && one.state === "stopped"),
      all,
    );
    await machines.remove({ id });
    const left = await machines.list({ all: true });
    transcript.check("removed, it is gone", left.machines.length === 0, left.machines);
  });
}

/** Talks to the agent. */
export async function agentStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Talk to the agent", async () => {
    const agent = createClient(AgentService, channel);
    transcript.call('agent.ping({ message: "are you there?" })');
    const pong = await agent.ping({ message: "are you there?" });
    transcript.fact("answer", `${pong.message} (${pong.version})`);
    transcript.check("it answers with our text", pong.message === "pong: are you there?", pong.message);
    const status = await agent.getRuntimeStatus({});
    transcript.fact("runtimes", status.services.map(({ name, status: state }) => `${name} ${state}`).join(", "));
    transcript.check("it says which runtimes it found", status.services.length > 0, status);
  });
}

/** Meets an error on purpose. */
export async function errorStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Meet an error", async () => {
    transcript.call('bundles.create({ id: "evil", files: { "../escape": … } })');
    try {
      await createClient(Bundle, channel).create({ id: "evil", files: { "../escape": new Uint8Array(1) } });
      transcript.check("a file name that leaves the bundle is refused", false);
    } catch (thrown) {
      const error = RpcError.from(thrown);
      transcript.fact("code", `${codeName(error.code)} (${error.code})`);
      transcript.fact("message", error.rawMessage);
      transcript.fact("method", error.method ?? "");
      const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
      for (const { field, description } of violations) transcript.fact("detail", `${field}: ${description}`);
      transcript.check("the code says whose fault it is", error.code === Code.InvalidArgument, error.code);
      transcript.check(
        "a detail names the field",
        violations.some(({ field }) => field.includes("../escape")),
        violations,
      );
    }
  });
}

/** Leaves a stream that would go on for ever. */
export async function cancelStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Cancel a stream", async () => {
    const machines = createClient(MachineService, channel);
    const { id } = await machines.create({ name: "m2", cpus: 1, memory: 256n << 20n });
    await machines.start({ id });
    transcript.call('for await (const output of machines.exec({ id, cmd: ["yes"] })) { …; break; }');
    let bytes = 0;
    for await (const output of machines.exec({ id, cmd: ["yes"] }, { timeoutMs: 0 })) {
      bytes += output.data.length;
      if (bytes > 1 << 20) break;
    }
    transcript.fact("read", `${(bytes / 2 ** 20).toFixed(1)} MiB, then left`);
    const control = new AbortController();
    const endless = machines.exec({ id, cmd: ["sleep", "1000"] }, { signal: control.signal, timeoutMs: 0 });
    const reading = endless.next().catch((error: unknown) => RpcError.from(error));
    control.abort(new Error("enough"));
    const ended = await reading;
    transcript.call('control.abort(new Error("enough"))');
    const canceled = ended instanceof RpcError && ended.code === Code.Canceled;
    transcript.check(
      "a signal ends the call at once, with its reason",
      canceled && (ended.cause as Error).message === "enough",
      ended,
    );
    const pong = await machines.ping({ id });
    transcript.check("the connection goes on", pong.message !== "", pong);
    await machines.remove({ id, force: true });
  });
}
