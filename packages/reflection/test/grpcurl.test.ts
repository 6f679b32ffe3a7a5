// grpcurl lists, describes and calls services that it has no code of, over every way that leads to a gRPC server.
import { writeFile } from "node:fs/promises";
import type { DescService } from "@bufbuild/protobuf";
import { connect, type ServeOptions, type Server, serve } from "@guestwire/grpc";
import { createHealth, Health, ServingStatus, watchHealth } from "@guestwire/health";
import { JobService } from "@guestwire/joblet";
import { MachineService } from "@guestwire/machine";
import { ContainerService } from "@guestwire/ross";
import { Code } from "@guestwire/rpc";
import {
  createTestCa,
  describeAll,
  EchoService,
  echoHandlers,
  file_guestwire_test_v1_echo,
  type Grpcurl,
  goTool,
  grpcurl,
  tempFolder,
} from "@guestwire/testkit";
import { Task } from "@guestwire/types/task/v2";
import { describe, expect, test } from "vitest";
import { addReflection, ServerReflection } from "../src/index.js";
import { ServerReflection as AlphaReflection } from "../src/v1alpha/index.js";

const program = await goTool("grpcurl");

const bare: readonly DescService[] = [MachineService, JobService, ContainerService, Task];
const all: readonly DescService[] = [...bare, EchoService, Health, ServerReflection, AlphaReflection];

interface Opened extends AsyncDisposable {
  readonly server: Server;
  readonly health: ReturnType<typeof createHealth>;
  readonly tool: Grpcurl;
  readonly address: string;
}

/** Serves all of it at an address in a folder of its own. */
async function open(
  at: (folder: string) => string = (folder) => `unix://${folder}/g.sock`,
  options: ServeOptions = {},
  flags?: (file: (name: string, text: string) => Promise<string>) => Promise<string[]>,
): Promise<Opened> {
  const folder = await tempFolder();
  const server = serve(options);
  const health = createHealth();
  addReflection(health.register(server).service(EchoService, echoHandlers));
  for (const service of bare) server.service(service, {});
  const address = await server.listen(at(folder.path));
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(folder.file(name), text);
    return folder.file(name);
  };
  return {
    server,
    health,
    address,
    tool: grpcurl(program as string, address, await flags?.(file)),
    async [Symbol.asyncDispose]() {
      await server.close({ graceMs: 0 });
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(program === undefined)("grpcurl", () => {
  test("lists every service, and describes each with all that it has", async () => {
    await using opened = await open();
    const { exit, stdout } = await opened.tool.run("list");
    expect({ exit, services: stdout.trim().split("\n") }).toEqual({
      exit: 0,
      services: all.map(({ typeName }) => typeName).sort(),
    });
    const described = await describeAll(opened.tool, [EchoService, MachineService, ContainerService]);
    expect(described.size).toBeGreaterThan(60);
    expect(described.get("guestwire.test.v1.EchoService.Chat")).toContain(
      "rpc Chat ( stream .guestwire.test.v1.EchoRequest ) returns ( stream .guestwire.test.v1.EchoResponse );",
    );
    expect(described.get("guestwire.test.v1.EchoRequest")).toContain("int64 number = 3;");
    expect((await opened.tool.run("list", Task.typeName)).stdout.trim().split("\n")).toHaveLength(Task.methods.length);
    expect((await opened.tool.run("describe", "no.Such")).stderr).toContain("Symbol not found: no.Such");
  });

  test("calls all four kinds", async () => {
    await using opened = await open();
    const { tool } = opened;
    const echo = (method: string) => `guestwire.test.v1.EchoService/${method}`;
    expect(await tool.call(echo("Echo"), [{ text: "hello", payload: "AQI=", number: "7" }])).toMatchObject({
      exit: 0,
      messages: [{ text: "hello", payload: "AQI=", number: "7" }],
    });
    expect(await tool.call(echo("Split"), [{ count: 3, payload: "AQ==" }])).toMatchObject({
      exit: 0,
      messages: [{ payload: "AQ==" }, { payload: "AQ==", number: "1" }, { payload: "AQ==", number: "2" }],
    });
    expect(
      await tool.call(echo("Join"), [
        { text: "a", number: 1 },
        { text: "b", number: 2 },
      ]),
    ).toMatchObject({
      exit: 0,
      messages: [{ text: "ab", number: "3" }],
    });
    const chat = tool.open(echo("Chat"));
    chat.send({ text: "first" });
    expect(await chat.line('"text"')).toBe('"text": "first"');
    chat.send({ text: "second" });
    expect(await chat.line('"text"')).toBe('"text": "second"');
    expect(await chat.end()).toMatchObject({ exit: 0, messages: [{ text: "first" }, { text: "second" }] });
  });

  test("shows errors with their code, message and details", async () => {
    await using opened = await open();
    const fail = "guestwire.test.v1.EchoService/Fail";
    const request = { code: Code.FailedPrecondition, message: "not now", detail: "why" };
    const { exit, stderr } = await opened.tool.call(fail, [request]);
    expect(exit).toBe(64 + Code.FailedPrecondition);
    expect(stderr).toMatch(/Code: FailedPrecondition\s+Message: not now\s+Details:/);
    expect(stderr).toMatch(/"@type": "type\.googleapis\.com\/guestwire\.test\.v1\.EchoRequest",\s+"text": "why"/);
    const split = "guestwire.test.v1.EchoService/Split";
    expect(await opened.tool.call(split, [{ count: 3, failAfter: 2 }])).toMatchObject({
      exit: 64 + Code.DataLoss,
      messages: [{}, { number: "1" }],
      stderr: expect.stringContaining("failed after 2"),
    });
    expect(await opened.tool.call(`${Task.typeName}/Pids`, [{}])).toMatchObject({ exit: 64 + Code.Unimplemented });
  });

  test("sends metadata and a deadline, and ends calls by both ends' will", async () => {
    await using opened = await open();
    const inspect = "guestwire.test.v1.EchoService/Inspect";
    const { messages } = await opened.tool.call(inspect, [{}], ["-rpc-header", "x-one: 1", "-max-time", "60"]);
    expect(messages).toMatchObject([
      { path: `/${inspect}`, metadata: expect.arrayContaining([{ key: "x-one", value: "1" }]) },
    ]);
    expect((messages[0] as { timeRemainingMs: number }).timeRemainingMs).toBeGreaterThan(0);

    const hang = await opened.tool.call("guestwire.test.v1.EchoService/Hang", [{}], ["-max-time", "0.3"]);
    expect(hang).toMatchObject({ exit: 64 + Code.DeadlineExceeded });
    const chat = opened.tool.open("guestwire.test.v1.EchoService/Chat");
    chat.send({ text: "a" });
    await chat.line('"text"');
    expect(opened.server.runningCalls).toBeGreaterThan(0);
    await chat.kill();
    while (opened.server.runningCalls > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("reads and follows health, as does a client of ours beside it", async () => {
    await using opened = await open();
    const { health, tool } = opened;
    const check = "grpc.health.v1.Health/Check";
    const service = EchoService.typeName;
    expect((await tool.call(check, [{}])).messages).toEqual([{ status: "SERVING" }]);
    expect(await tool.call(check, [{ service: "no.Such" }])).toMatchObject({ exit: 64 + Code.NotFound });
    expect((await tool.call("grpc.health.v1.Health/List", [{}])).messages).toMatchObject([
      { statuses: { "": { status: "SERVING" }, [service]: { status: "SERVING" } } },
    ]);
    await using channel = connect(opened.address);
    await using ours = watchHealth(channel, service);
    const watch = tool.open("grpc.health.v1.Health/Watch");
    watch.send({ service });
    watch.endRequests();
    for (const status of [ServingStatus.SERVING, ServingStatus.NOT_SERVING, ServingStatus.SERVING] as const) {
      health.setStatus(service, status);
      const name = status === ServingStatus.SERVING ? "SERVING" : "NOT_SERVING";
      expect(await watch.line('"status"')).toBe(`"status": "${name}"`);
      expect((await ours.next()).value?.status).toBe(status);
    }
    health.close();
    expect(await watch.line('"status"')).toBe('"status": "NOT_SERVING"');
    expect((await watch.end()).exit).toBe(64 + Code.Unavailable);
  });

  test("over TCP, over TLS, and with a certificate of its own", async () => {
    const list = async (tool: Grpcurl) => (await tool.run("list")).stdout.trim().split("\n").length;
    const tcp = () => "tcp://127.0.0.1:0";
    {
      await using plain = await open(tcp);
      expect(await list(plain.tool)).toBe(all.length);
    }
    const ca = await createTestCa();
    const server = await ca.issue({ commonName: "server", names: ["127.0.0.1"] });
    const client = await ca.issue({ commonName: "client", client: true });
    {
      await using tls = await open(tcp, { tls: server }, async (file) => ["-cacert", await file("ca.pem", ca.ca)]);
      expect(await list(tls.tool)).toBe(all.length);
      const unknown = await grpcurl(program as string, tls.address, []).run("list");
      expect(unknown).toMatchObject({ exit: 1, stderr: expect.stringContaining("certificate") });
    }
    const flags = async (file: (name: string, text: string) => Promise<string>): Promise<string[]> => [
      "-cacert",
      await file("ca.pem", ca.ca),
      "-cert",
      await file("cert.pem", client.cert),
      "-key",
      await file("key.pem", client.key),
    ];
    {
      await using mutual = await open(tcp, { tls: { ...server, ca: ca.ca } }, flags);
      expect(await list(mutual.tool)).toBe(all.length);
      const echo = await mutual.tool.call("guestwire.test.v1.EchoService/Split", [{ count: 2 }]);
      expect(echo).toMatchObject({ exit: 0, messages: [{}, { number: "1" }] });
    }
  });

  test("with the older version alone, and with files beside the services", async () => {
    await using folder = await tempFolder();
    await using server = serve();
    const described = addReflection(serve().service(Health, {}), { files: [file_guestwire_test_v1_echo] });
    // What the older tools see: v1alpha only.
    const { serverReflectionInfo } = recorded();
    server.service(AlphaReflection, { serverReflectionInfo });
    const tool = grpcurl(program as string, await server.listen(`unix://${folder.file("g.sock")}`));
    expect((await tool.run("list")).stdout.trim().split("\n")).toEqual(
      described.services.map((s) => s.typeName).sort(),
    );
    expect((await tool.run("describe", "guestwire.test.v1.EchoRequest")).exit).toBe(0);

    /** The handler that addReflection registers, taken out of it. */
    function recorded() {
      let handlers: { serverReflectionInfo?: unknown } = {};
      const recorder = {
        services: described.services,
        service(service: DescService, given: object) {
          if (service === AlphaReflection) handlers = given;
          return this;
        },
      };
      addReflection(recorder as never, { files: [file_guestwire_test_v1_echo] });
      return handlers as never;
    }
  });
});
