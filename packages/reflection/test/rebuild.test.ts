// What a client builds from reflection is what the server has: the same descriptors, bit by bit, and calls by them.
import { create, type DescFile, type DescService, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { JobService } from "@guestwire/joblet";
import { MachineExecOutputSchema, MachineService } from "@guestwire/machine";
import { ContainerService } from "@guestwire/ross";
import { Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import { type EchoRequest, EchoService, echoHandlers, watchHandles } from "@guestwire/testkit";
import { Task } from "@guestwire/types/task/v2";
import { describe, expect, test } from "vitest";
import { withImports } from "../src/descriptor-index.js";
import { addReflection, createReflectionClient } from "../src/index.js";
import { wires } from "./support/wires.js";

const services: readonly DescService[] = [EchoService, MachineService, JobService, ContainerService, Task];

describe.each(wires)("$name", ({ open }) => {
  test("a registry from a live server has all files of the original, bit by bit", async () => {
    const allClosed = watchHandles();
    {
      await using opened = await open((registry) => {
        addReflection(registry);
        for (const service of services) registry.service(service, {});
      });
      const client = createReflectionClient(opened.channel);
      const reflection = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
      expect(await client.listServices()).toEqual([...services.map((each) => each.typeName), ...reflection].sort());

      const registry = await client.registry();
      const originals = new Set(services.flatMap((service) => withImports(service.file)));
      expect(originals.size).toBeGreaterThan(10);
      for (const file of originals) {
        expect(toBinary(FileDescriptorProtoSchema, registry.getFile(file.proto.name)?.proto as never)).toEqual(
          toBinary(FileDescriptorProtoSchema, file.proto),
        );
      }
      const theirs = registry.getMessage(MachineExecOutputSchema.typeName);
      const bytes = toBinary(
        MachineExecOutputSchema,
        create(MachineExecOutputSchema, { data: new Uint8Array([1, 2]), exitCode: 3 }),
      );
      expect(
        equals(MachineExecOutputSchema, fromBinary(theirs as never, bytes), fromBinary(MachineExecOutputSchema, bytes)),
      ).toBe(true);
    }
    await allClosed();
  });

  test("clients without generated code make all four kinds of calls, and read details of errors", async () => {
    await using opened = await open((registry) => addReflection(registry.service(EchoService, echoHandlers)));
    const { channel } = opened;
    const reflection = createReflectionClient(channel);
    const echo = createClient((await reflection.service(EchoService.typeName)) as typeof EchoService, channel);
    expect(await echo.echo({ text: "x", number: 5n })).toMatchObject({ text: "x", number: 5n });
    const numbers: bigint[] = [];
    for await (const { number } of echo.split({ count: 3 })) numbers.push(number);
    expect(numbers).toEqual([0n, 1n, 2n]);
    expect((await echo.join([{ text: "a" }, { text: "b" }])).text).toBe("ab");
    const requests = createPushStream<Partial<Pick<EchoRequest, "text">>>();
    await using chat = echo.chat(requests);
    await requests.push({ text: "hello" });
    expect((await chat.next()).value?.text).toBe("hello");

    const error = RpcError.from(await echo.fail({ code: Code.Aborted, message: "m", detail: "d" }).catch((e) => e));
    const schema = await reflection.describe("guestwire.test.v1.EchoRequest");
    if (schema.kind !== "message") throw new Error(schema.kind);
    expect([error.code, error.findDetails(schema)]).toMatchObject([Code.Aborted, [{ text: "d" }]]);
  });

  test("the whole of a conversation is under the call's deadline and signal", async () => {
    await using opened = await open((registry) => addReflection(registry));
    const client = createReflectionClient(opened.channel);
    const signal = AbortSignal.abort("enough");
    await expect(client.listServices({ signal })).rejects.toMatchObject({ code: Code.Canceled, cause: "enough" });
    expect(await client.listServices({ timeoutMs: 60_000 })).toHaveLength(2);
  });
});

test("the test's services come from several packages and share files", () => {
  const files = services.flatMap((service): DescFile[] => withImports(service.file));
  expect(new Set(files).size).toBeLessThan(files.length);
});
