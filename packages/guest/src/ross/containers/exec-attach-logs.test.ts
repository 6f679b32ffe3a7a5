import { Code, createPushStream } from "@guestwire/rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { gather, readUntil, type TestRoss, testRoss } from "../ross.test.support.js";

let ross: TestRoss;
let containers: TestRoss["containers"];

beforeAll(async () => {
  ross = await testRoss();
  containers = ross.containers;
});
afterAll(() => ross[Symbol.asyncDispose]());

async function started(script: string, config: object = {}): Promise<string> {
  const id = await ross.shell(script, config);
  await containers.startContainer({ containerId: id });
  return id;
}
const textOf = async (pieces: AsyncIterable<{ stream: string; data: Uint8Array }>) => {
  const found: Record<string, string> = {};
  for await (const { stream, data } of pieces) found[stream] = (found[stream] ?? "") + Buffer.from(data).toString();
  return found;
};

test("a command runs beside the container's, with its environment, and streams its output", async () => {
  const containerId = await started("exec sleep 1000", { env: ["A=container"] });
  const config = { cmd: ["sh", "-c", 'echo "$A $B"; pwd; echo err >&2'], env: ["B=exec"], workingDir: "/w" };
  const { execId } = await containers.exec({ containerId, config });
  expect((await containers.inspectContainer({ containerId })).execIds).toEqual([execId]);
  const output = await textOf(containers.execStart({ execId }));
  expect(output["stdout"]).toMatch(/^container exec\n\/.*\/rootfs\/w\n$/);
  expect(output["stderr"]).toBe("err\n");
  expect((await errorOf(containers.execStart({ execId }))).rawMessage).toContain("the command was started already");
  const { execId: quiet } = await containers.exec({ containerId, config: { ...config, attachStderr: true } });
  expect(await textOf(containers.execStart({ execId: quiet }))).toEqual({ stderr: "err\n" });
});

test("a command on a terminal has one", async () => {
  const containerId = await started("exec sleep 1000");
  const { execId } = await containers.exec({
    containerId,
    config: { cmd: ["sh", "-c", "tty; echo $TERM >&2"], tty: true },
  });
  expect(await textOf(containers.execStart({ execId, tty: true }))).toEqual({
    stdout: expect.stringMatching(/^\/dev\/pts\/\d+\r\nxterm\r\n$/),
  });
});

test("a detached command runs on; it ends with its container", async () => {
  const containerId = await started("exec sleep 1000");
  const { execId } = await containers.exec({
    containerId,
    config: { cmd: ["sh", "-c", "echo $$ > pid; exec sleep 1000"] },
  });
  expect(await gather(containers.execStart({ execId, detach: true }))).toEqual([]);
  const { execId: look } = await containers.exec({
    containerId,
    config: { cmd: ["sh", "-c", "until test -s pid; do sleep 0.01; done; cat pid"] },
  });
  const pid = Number((await textOf(containers.execStart({ execId: look })))["stdout"]);
  expect(alive(pid)).toBe(true);
  await containers.stopContainer({ containerId, timeout: 1000 });
  expect(alive(pid)).toBe(false);
  expect((await errorOf(containers.exec({ containerId, config: { cmd: ["true"] } }))).code).toBe(
    Code.FailedPrecondition,
  );
});

test("what is wrong with a command is its status", async () => {
  const containerId = await started("exec sleep 1000");
  expect((await errorOf(containers.exec({ containerId }))).rawMessage).toMatch(/^config: /);
  expect((await errorOf(containers.exec({ containerId, config: {} }))).rawMessage).toMatch(/^config.cmd: /);
  const { execId } = await containers.exec({ containerId, config: { cmd: ["no-such-program"] } });
  expect((await errorOf(containers.execStart({ execId }))).code).toBe(Code.FailedPrecondition);
  const { execId: late } = await containers.exec({ containerId, config: { cmd: ["true"] } });
  await containers.stopContainer({ containerId, timeout: 1000 });
  expect((await errorOf(containers.execStart({ execId: late }))).code).toBe(Code.FailedPrecondition);
});

test("attach joins output and input; several may join", async () => {
  const containerId = await started("while read -r line; do echo heard $line; test $line != end || exit; done", {
    openStdin: true,
  });
  const join = () => {
    const requests = createPushStream<{
      containerId?: string;
      stream?: boolean;
      stdin?: boolean;
      input?: Uint8Array;
    }>();
    void requests.push({ containerId, stream: true, stdin: true });
    return { requests, output: containers.attach(requests) };
  };
  const [one, two] = [join(), join()];
  await one.requests.push({ input: Buffer.from("one\n") });
  await readUntil(one.output, "heard one");
  one.requests.end();
  await two.requests.push({ input: Buffer.from("two\nend\n") });
  expect(await textOf(one.output)).toEqual({ stdout: "heard two\nheard end\n" });
  expect((await textOf(two.output))["stdout"]).toContain("heard two\nheard end\n");
});

test("attach with logs gives what was written before, then what comes, each once", async () => {
  const script =
    "i=0; while test $i -lt 2000; do echo line $i; i=$((i+1)); done; printf unfinished; read -r x; echo; echo after";
  const containerId = await started(script, { openStdin: true });
  await readUntil(containers.getLogs({ containerId, follow: true }), "line 1999");
  const requests = createPushStream<{
    containerId?: string;
    stream?: boolean;
    stdin?: boolean;
    logs?: boolean;
    input?: Uint8Array;
  }>();
  void requests.push({ containerId, stream: true, stdin: true, logs: true });
  const output = containers.attach(requests);
  const before = await readUntil(output, "unfinished");
  await requests.push({ input: Buffer.from("go\n") });
  const text = before + (await textOf(output))["stdout"];
  expect(text).toBe(`${Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join("")}unfinished\nafter\n`);
  expect((await errorOf(containers.attach([{ containerId }]))).code).toBe(Code.FailedPrecondition);
});

test("attach with logs alone ends behind them", async () => {
  const containerId = await started("echo history; exec sleep 1000");
  await readUntil(containers.getLogs({ containerId, follow: true }), "history");
  expect(await textOf(containers.attach([{ containerId, logs: true }]))).toEqual({ stdout: "history\n" });
});

test("the detach keys end an attachment and nothing else", async () => {
  const containerId = await started("stty -echo; echo ready; while read -r line; do echo heard $line; done", {
    tty: true,
  });
  const requests = createPushStream<{
    containerId?: string;
    stream?: boolean;
    stdin?: boolean;
    logs?: boolean;
    detachKeys?: string;
    input?: Uint8Array;
  }>();
  void requests.push({ containerId, stream: true, stdin: true, logs: true, detachKeys: "ctrl-p,ctrl-q" });
  const output = containers.attach(requests);
  await readUntil(output, "ready");
  await requests.push({ input: Buffer.from("one\n") });
  await readUntil(output, "heard one");
  await requests.push({ input: Buffer.from("\x10\x11") });
  expect(await textOf(output)).toEqual({});
  expect((await containers.inspectContainer({ containerId })).state?.status).toBe("running");
  expect((await errorOf(containers.attach([{ containerId, detachKeys: "F13" }]))).rawMessage).toMatch(/^detach_keys: /);
});

test("input is refused where the container has none", async () => {
  const containerId = await started("exec sleep 1000");
  expect((await errorOf(containers.attach([{ containerId, stdin: true, stream: true }]))).code).toBe(
    Code.FailedPrecondition,
  );
});

test("an attached caller that does not read is ended, and holds up nobody", async () => {
  const containerId = await started("read -r x; seq 1000000; echo done >&2; read -r x", { openStdin: true });
  const lazy = containers.attach([{ containerId, stream: true, stdout: true }]);
  const requests = createPushStream<{ containerId?: string; stdin?: boolean; input?: Uint8Array }>();
  void requests.push({ containerId, stdin: true, input: Buffer.from("go\n") });
  const feeder = containers.attach(requests);
  await readUntil(containers.getLogs({ containerId, follow: true, stderr: true }), "done");
  const failed = await errorOf(textOf(lazy));
  expect(failed.code).toBe(Code.ResourceExhausted);
  await feeder.return();
});

test("logs: streams, tail, since, until, timestamps", async () => {
  const containerId = await started("echo one; echo two >&2; echo three; printf four");
  const lines = async (request: object) => gather(containers.getLogs({ containerId, ...request }));
  const texts = async (request: object) => (await lines(request)).map(({ message }) => message);
  const all = await gather(containers.getLogs({ containerId, follow: true }));
  expect(all.map(({ message }) => message).toSorted()).toEqual(["four", "one", "three", "two"]);
  expect(await texts({ stdout: true })).toEqual(["one", "three", "four"]);
  expect(await lines({ stderr: true })).toMatchObject([{ stream: "stderr", message: "two" }]);
  expect(await texts({ stdout: true, tail: "2" })).toEqual(["three", "four"]);
  expect(await texts({ tail: "0" })).toEqual([]);
  expect(await texts({ tail: "all", stderr: true })).toEqual(["two"]);
  const { timestamp } = all[0] ?? {};
  expect(await texts({ since: timestamp })).toHaveLength(4);
  expect(await texts({ until: timestamp })).toEqual([]);
  expect(await texts({ since: { seconds: 99_999_999_999n } })).toEqual([]);
  expect((await texts({ timestamps: true, stderr: true }))[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z two$/);
  expect((await errorOf(lines({ tail: "many" }))).rawMessage).toMatch(/^tail: /);
});

test("a follower of a created container waits for its start and gets everything", async () => {
  const containerId = await ross.shell("seq 20000");
  const follower = gather(containers.getLogs({ containerId, follow: true }), ({ message }) => message);
  await containers.startContainer({ containerId });
  expect(await follower).toEqual(Array.from({ length: 20_000 }, (_, index) => String(index + 1)));
});

test("a follower of a removed container gets the end", async () => {
  const containerId = await ross.shell("true");
  const follower = gather(containers.getLogs({ containerId, follow: true }));
  await containers.listContainers({});
  await containers.removeContainer({ containerId });
  expect(await follower).toEqual([]);
});

test("a log line that is no text or too long is an entry nevertheless", async () => {
  const containerId = await started("printf '\\377\\376\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo");
  const messages = await gather(containers.getLogs({ containerId, follow: true }), ({ message }) => message);
  expect(messages[0]).toBe("\ufffd\ufffd");
  expect(messages.slice(1).map(({ length }) => length)).toEqual([16_384, 16_384, 7232]);
});
