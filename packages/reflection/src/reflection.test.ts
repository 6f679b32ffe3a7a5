// The server's side: every kind of question, in both versions, and what one stream remembers.
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_cpp_features } from "@bufbuild/protobuf/wkt";
import { Code, createClient, createInProcessChannel, createPushStream, createRouter } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { addReflection, createReflection, ServerReflection, type ServerReflectionResponse } from "./index.js";
import { ServerReflection as AlphaReflection } from "./v1alpha/index.js";
import { extraFile, symbols, Zoo } from "./zoo.test.support.js";

type Question = { case: "fileContainingSymbol" | "fileByFilename" | "allExtensionNumbersOfType"; value: string };
type Asked = Question | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } };

/** A stream of questions to a server with the zoo. */
function open(service: typeof ServerReflection | typeof AlphaReflection = ServerReflection) {
  const router = addReflection(createRouter().service(Zoo, {}), { files: [extraFile] });
  const client = createClient(service as typeof ServerReflection, createInProcessChannel(router));
  const requests = createPushStream<object>();
  const responses = client.serverReflectionInfo(requests);
  const ask = async (messageRequest: Asked | { case: "listServices"; value: string } | undefined) => {
    await requests.push({ host: "h", messageRequest });
    return (await responses.next()).value as ServerReflectionResponse;
  };
  return {
    router,
    ask,
    requests,
    responses,
    /** The names of the files that come, or the error. */
    async files(question: Asked) {
      const { messageResponse } = await ask(question);
      if (messageResponse.case === "errorResponse") return messageResponse.value;
      if (messageResponse.case !== "fileDescriptorResponse") throw new Error(messageResponse.case);
      return messageResponse.value.fileDescriptorProto.map((each) => fromBinary(FileDescriptorProtoSchema, each).name);
    },
  };
}

describe.each([ServerReflection, AlphaReflection])("$typeName", (service) => {
  test("lists all services by name, itself included, and sees those that come later", async () => {
    const { ask, router } = open(service);
    const names = async () => {
      const { messageResponse } = await ask({ case: "listServices", value: "" });
      return messageResponse.case === "listServicesResponse" && messageResponse.value.service.map(({ name }) => name);
    };
    const reflection = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
    expect(await names()).toEqual([...reflection, "zoo.Zoo"]);
    router.service({ ...Zoo, typeName: "late.Zoo" }, {});
    expect(await names()).toEqual([...reflection, "late.Zoo", "zoo.Zoo"]);
  });

  test("gives back the request and its host", async () => {
    const { ask } = open(service);
    const response = await ask({ case: "fileContainingSymbol", value: "no.Such" });
    expect(response).toMatchObject({
      validHost: "h",
      originalRequest: { host: "h", messageRequest: { case: "fileContainingSymbol", value: "no.Such" } },
      messageResponse: {
        case: "errorResponse",
        value: { errorCode: Code.NotFound, errorMessage: 'unknown symbol "no.Such"' },
      },
    });
  });

  test("ends when the requests end", async () => {
    const { requests, responses } = open(service);
    requests.end();
    expect((await responses.next()).done).toBe(true);
  });
});

test.each(symbols)("%s is in %s", async (symbol, file) => {
  const { files } = open();
  expect(await files({ case: "fileContainingSymbol", value: symbol })).toHaveProperty("0", file);
});

test("a file comes first, then its imports, which come once in a stream", async () => {
  const { files } = open();
  const zoo = ["zoo/zoo.proto", "zoo/middle.proto", "zoo/base.proto"];
  expect(await files({ case: "fileByFilename", value: "zoo/zoo.proto" })).toEqual(zoo);
  expect(await files({ case: "fileContainingSymbol", value: "zoo.Zoo" })).toEqual(["zoo/zoo.proto"]);
  expect(await files({ case: "fileContainingSymbol", value: "zoo.RED" })).toEqual(["zoo/middle.proto"]);
  expect(await files({ case: "fileContainingSymbol", value: "weight" })).toEqual(["extra.proto"]);
  expect(await open().files({ case: "fileByFilename", value: "zoo/zoo.proto" })).toEqual(zoo);
});

test("extensions are found by number", async () => {
  const { ask, files } = open();
  const numbers = async (value: string) =>
    (await ask({ case: "allExtensionNumbersOfType", value })).messageResponse.value;
  expect(await numbers("zoo.Base")).toMatchObject({ baseTypeName: "zoo.Base", extensionNumber: [101, 120, 150] });
  expect(await numbers("zoo.Animal")).toMatchObject({ baseTypeName: "zoo.Animal", extensionNumber: [] });
  expect(await numbers("zoo.Color")).toMatchObject({ errorCode: Code.NotFound });
  const of = (extensionNumber: number) =>
    files({ case: "fileContainingExtension", value: { containingType: "zoo.Base", extensionNumber } });
  expect(await of(120)).toEqual(["extra.proto", "zoo/middle.proto", "zoo/base.proto"]);
  expect(await of(121)).toMatchObject({
    errorCode: Code.NotFound,
    errorMessage: 'unknown extension 121 of "zoo.Base"',
  });
});

test("Google's own extensions are found where their file is given", async () => {
  const router = createReflection({ services: [] }, { files: [file_google_protobuf_cpp_features] }).register(
    createRouter(),
  );
  const client = createClient(ServerReflection, createInProcessChannel(router));
  const value = { containingType: "google.protobuf.FeatureSet", extensionNumber: 1000 };
  const answers = client.serverReflectionInfo([{ messageRequest: { case: "fileContainingExtension", value } }]);
  expect((await answers.next()).value?.messageResponse.case).toBe("fileDescriptorResponse");
});

test("what is not found and what asks nothing are answered, and the stream goes on", async () => {
  const { ask, files } = open();
  expect(await files({ case: "fileByFilename", value: "zoo" })).toMatchObject({ errorMessage: 'unknown file "zoo"' });
  for (const value of ["", ".zoo.Zoo", "zoo", "zoo.", "constructor", "__proto__"]) {
    expect(await files({ case: "fileContainingSymbol", value })).toMatchObject({ errorCode: Code.NotFound });
  }
  expect((await ask(undefined)).messageResponse.value).toMatchObject({ errorCode: Code.InvalidArgument });
  expect(await files({ case: "fileContainingSymbol", value: "zoo.Base" })).toEqual(["zoo/base.proto"]);
});

test("one registry may describe another, and has reflection once", () => {
  const described = createRouter().service(Zoo, {});
  const registry = createReflection(described).register(createRouter());
  expect(described.services).toEqual([Zoo]);
  expect(registry.services).toHaveLength(2);
  expect(() => addReflection(registry)).toThrowError(/already/);
});
