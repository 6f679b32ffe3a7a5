// What a host sees of a guest whose VM is paused, is killed in the middle of calls, and is booted again.
import { AgentService } from "@guestwire/agent";
import { type Channel, Code, codeName, createClient, RpcError } from "@guestwire/rpc";
import { StdIO } from "@guestwire/stdio/vminitd";
import { System } from "@guestwire/system/vminitd";
import { connect } from "@guestwire/ttrpc";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { dialHybrid } from "@guestwire/vsock";
import type { Vm } from "../boot.js";
import { type Checks, expect } from "../checks.js";
import { guestPorts } from "./guest-vm.js";
import { createContainer } from "./work.js";

// Enough for any stall of a busy machine; nothing here waits that long unless something is wrong.
const patienceMs = 20_000;

/** Calls that last: they end when something ends them. Each by its name. */
function lastingCalls(channel: Channel, wire: string, id: string, timeoutMs: number): Map<string, Promise<unknown>> {
  const calls = new Map<string, Promise<unknown>>();
  calls.set(`${wire} unary`, createClient(Task, channel).wait({ id }, { timeoutMs }));
  calls.set(
    `${wire} output stream`,
    toEnd(createClient(StdIO, channel).readStdout({ containerId: id }, { timeoutMs })),
  );
  calls.set(`${wire} event stream`, toEnd(createClient(Events, channel).stream({}, { timeoutMs })));
  for (const call of calls.values()) call.catch(() => {});
  return calls;
}

/** Checks that all of the calls end with this code. */
async function endWith(calls: ReadonlyMap<string, Promise<unknown>>, code: Code): Promise<string> {
  let said = "";
  for (const [name, call] of calls) {
    const late = new Promise<string>((resolve) =>
      setTimeout(resolve, patienceMs, `no end within ${patienceMs} ms`).unref(),
    );
    const ended = await Promise.race([
      call.then(
        () => "a good end",
        (error: unknown) => error,
      ),
      late,
    ]);
    const right = ended instanceof RpcError && ended.code === code;
    expect(`the ${name} ends with ${codeName(code)}`, right, ended);
    said = ended.message;
  }
  return `${calls.size} calls, as "${said}"`;
}

/** Pauses the VM while calls run, and lets it go on. */
export async function pauseChecks(checks: Checks, vm: Vm, channel: Channel, path: string): Promise<void> {
  await createContainer(channel, "long", "seq 1 1000; exec sleep 1000");
  await createClient(Task, channel).start({ id: "long" });
  const calls = lastingCalls(channel, "ttrpc", "long", 3000);
  await createClient(System, channel).info({});
  vm.pause();
  await checks.check("paused: running calls end at their deadlines", () => endWith(calls, Code.DeadlineExceeded));
  vm.resume();
  await checks.check("resumed: the same connection goes on", async () => {
    const { message } = await createClient(AgentService, channel).ping({ message: "back" }, { timeoutMs: patienceMs });
    expect("the agent answers", message === "pong: back", message);
    return undefined;
  });
  await checks.check("resumed: a new connection is served", async () => {
    await using fresh = connect(`hvsock://${path}:${guestPorts.ttrpc}`, { timeoutMs: patienceMs });
    await createClient(System, fresh).info({});
    return undefined;
  });
}

/**
 * Pauses the VM and dials it. The VM is good for nothing afterwards: vhost-device-vsock (0.3.0) panics when a guest accepts
 * a connection whose host has given up by then, and what was open over it hangs.
 */
export async function pausedDialChecks(checks: Checks, vm: Vm, path: string): Promise<void> {
  vm.pause();
  await checks.check("paused: a new connection ends with the handshake's timeout", async () => {
    const dialed = await dialHybrid({ path, port: guestPorts.ttrpc }, { timeoutMs: 1000 }).catch(
      (error: unknown) => error,
    );
    const code = (dialed as { code?: unknown }).code;
    expect("the code is ERR_VSOCK_HYBRID_TIMEOUT", code === "ERR_VSOCK_HYBRID_TIMEOUT", dialed);
    return (dialed as Error).message;
  });
  await checks.check("paused: a call of a new channel ends with a clear error", async () => {
    await using fresh = connect(`hvsock://${path}:${guestPorts.ttrpc}`, { connectTimeoutMs: 1000 });
    const ended = await createClient(System, fresh)
      .info({})
      .catch((error: unknown) => RpcError.from(error));
    expect("it is Unavailable", ended instanceof RpcError && ended.code === Code.Unavailable, ended);
    return (ended as RpcError).message;
  });
}

/** Kills the VM while calls run; the container of {@link pauseChecks} still does. */
export async function killChecks(checks: Checks, vm: Vm, channel: Channel, grpc: Channel): Promise<void> {
  const calls = new Map([...lastingCalls(channel, "ttrpc", "long", 0), ...lastingCalls(grpc, "gRPC", "long", 0)]);
  // Answered after the calls before it were taken.
  for (const one of [channel, grpc]) await createClient(System, one).info({});
  await vm.kill();
  await checks.check("killed: every running call ends as Unavailable", () => endWith(calls, Code.Unavailable));
}

async function toEnd(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
