// The client's side: what it finds, older servers, servers that leave things out, and servers that mean no good.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createInProcessChannel, createRouter, type Router, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import {
  addReflection,
  createReflectionClient,
  registerServerReflection,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "./index.js";
import { ServerReflection as AlphaReflection } from "./v1alpha/index.js";
import { extraFile, symbols, Zoo } from "./zoo.test.support.js";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;
type Question = ServerReflectionRequest["messageRequest"];
type File = MessageInitShape<typeof FileDescriptorProtoSchema>;

const zoo = (): Router => addReflection(createRouter().service(Zoo, {}), { files: [extraFile] });
const clientOf = (router: Router, options = {}) => createReflectionClient(createInProcessChannel(router), options);

/** A server whose answers are the test's own. */
function scripted(answer: (question: Question, request: ServerReflectionRequest) => Answer): Router {
  return registerServerReflection(createRouter(), {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield { messageResponse: answer(request.messageRequest, request) };
    },
  });
}

const notFound: Answer = { case: "errorResponse", value: { errorCode: Code.NotFound, errorMessage: "nothing" } };
const encoded = (file: File) => toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, file));
const given = (...files: File[]): Answer => ({
  case: "fileDescriptorResponse",
  value: { fileDescriptorProto: files.map(encoded) },
});

async function errorOf(call: Promise<unknown>): Promise<RpcError> {
  return call.then(
    () => expect.unreachable(),
    (error) => error,
  );
}

// Compilers make these up; protobuf-es has no descriptors of them.
const madeUp = /_name$|LegsEntry/;

test.each(symbols.filter(([symbol]) => !madeUp.test(symbol)))("describes %s", async (symbol) => {
  const found = await clientOf(zoo()).describe(symbol);
  const name = symbol.slice(symbol.lastIndexOf(".") + 1);
  expect(found.kind === "file" ? undefined : found.name).toBe(name);
});

test.each(symbols.filter(([symbol]) => madeUp.test(symbol)))("says that it has no descriptor of %s", async (symbol) => {
  expect(await errorOf(clientOf(zoo()).describe(symbol))).toMatchObject({ code: Code.NotFound });
  expect(await clientOf(zoo()).fileDescriptors(symbol)).toHaveLength(3);
});

test("files come with what they import before them", async () => {
  const files = await clientOf(zoo()).fileDescriptors("zoo.Zoo.Feed");
  expect(files.map(({ name }) => name)).toEqual(["zoo/base.proto", "zoo/middle.proto", "zoo/zoo.proto"]);
  expect(files[1]?.publicDependency).toEqual([0]);
});

test("gives services for clients, and nothing else for one", async () => {
  const client = clientOf(zoo());
  expect((await client.service("zoo.Zoo")).method["feed"]?.input.typeName).toBe("zoo.Animal");
  expect(await errorOf(client.service("zoo.Animal"))).toMatchObject({ code: Code.InvalidArgument });
  expect(await errorOf(client.service("zoo.Lion"))).toMatchObject({
    code: Code.NotFound,
    rawMessage: 'unknown symbol "zoo.Lion"',
    peer: "in-process:",
  });
});

test("falls back to the older version, remembers it, and back when that has gone", async () => {
  const seen: string[] = [];
  const both = zoo();
  let offered: string = AlphaReflection.typeName;
  const router: Router = {
    ...both,
    find(service, method) {
      seen.push(service.split(".")[2] ?? "");
      return service === offered ? both.find(service, method) : undefined;
    },
  };
  const client = clientOf(router);
  expect(await client.listServices()).toContain("zoo.Zoo");
  expect(await client.listServices()).toContain("zoo.Zoo");
  offered = ServerReflection.typeName;
  expect(await client.listServices()).toContain("zoo.Zoo");
  expect(await client.listServices()).toContain("zoo.Zoo");
  expect(seen).toEqual(["v1", "v1alpha", "v1alpha", "v1alpha", "v1", "v1"]);
  offered = "";
  expect(await errorOf(client.listServices())).toMatchObject({ code: Code.Unimplemented });
});

test("calls at the same time find the older version each for itself", async () => {
  const both = zoo();
  const router: Router = {
    ...both,
    find: (service, method) => (service === AlphaReflection.typeName ? both.find(service, method) : undefined),
  };
  const client = clientOf(router);
  const names = await Promise.all([client.listServices(), client.listServices(), client.registry()]);
  expect(names[1]).toEqual(names[0]);
});

test("asks for imports that did not come, and has Google's own where the server has not", async () => {
  const asked: unknown[] = [];
  const router = scripted((question) => {
    asked.push(question.value);
    switch (question.value) {
      case "a.A":
        return given({ name: "a.proto", package: "a", dependency: ["b.proto"], messageType: [{ name: "A" }] });
      case "b.proto":
        return given({ name: "b.proto", dependency: ["google/protobuf/empty.proto"] });
      default:
        return notFound;
    }
  });
  const files = await clientOf(router).fileDescriptors("a.A");
  expect(asked).toEqual(["a.A", "b.proto", "google/protobuf/empty.proto"]);
  expect(files.map(({ name }) => name)).toEqual(["google/protobuf/empty.proto", "b.proto", "a.proto"]);
});

test("a service that the server cannot describe is left out of the registry", async () => {
  const inner = clientOf(zoo());
  const files = (await inner.fileDescriptors("zoo.Zoo")) as File[];
  const router = scripted((question) => {
    if (question.case === "listServices") {
      return { case: "listServicesResponse", value: { service: [{ name: "no.Such" }, { name: "zoo.Zoo" }] } };
    }
    return question.value === "zoo.Zoo" ? given(...files) : notFound;
  });
  const client = clientOf(router);
  const registry = await client.registry();
  expect([registry.getService("zoo.Zoo")?.typeName, registry.getService("no.Such")]).toEqual(["zoo.Zoo", undefined]);
  expect(await client.listServices()).toEqual(["no.Such", "zoo.Zoo"]);
});

test("sends the host and what every call has", async () => {
  const hosts: string[] = [];
  const router = scripted((_question, { host }) => {
    hosts.push(host);
    return { case: "listServicesResponse", value: {} };
  });
  const calls: string[] = [];
  const client = clientOf(router, {
    host: "inner",
    interceptors: [
      (next: (call: never) => unknown) => (call: { path: string }) => {
        calls.push(call.path);
        return next(call as never);
      },
    ],
  });
  expect(await client.listServices()).toEqual([]);
  expect([hosts, calls]).toEqual([["inner"], ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]]);
});

test.for<[string, Answer | ((question: Question) => Answer), RegExp]>([
  [
    "bytes that are no file",
    { case: "fileDescriptorResponse", value: { fileDescriptorProto: [new Uint8Array([7])] } },
    /cannot be read/,
  ],
  [
    "another kind of answer",
    { case: "listServicesResponse", value: {} },
    /fileContainingSymbol with listServicesResponse/,
  ],
  [
    "files that import each other",
    given({ name: "a", dependency: ["b"] }, { name: "b", dependency: ["a"] }),
    /imports itself/,
  ],
  ["a file that imports itself", given({ name: "a", dependency: ["a"] }), /"a" imports itself/],
  [
    "a type that is nowhere",
    given({ name: "a", service: [{ name: "S", method: [{ name: "M", inputType: ".X" }] }] }),
    /cannot be read/,
  ],
  ["names that are none", given({ name: "a", messageType: [{ name: "a b" }] }), /invalid message name/],
  ["other files than asked for", given({ name: "a", dependency: ["b"] }), /asked for the file "b"/],
  ["no file at all", given(), /no descriptor of x/],
  [
    "imports without end",
    ({ value }) =>
      given({ name: value === "x" ? "f0" : String(value), dependency: [`${value === "x" ? "f0" : value}0`] }),
    /more than 50 files/,
  ],
])("refuses %s", async ([, answer, message]) => {
  const router = scripted(typeof answer === "function" ? answer : () => answer);
  const error = await errorOf(clientOf(router, { maxFiles: 50 }).describe("x"));
  expect(error).toBeInstanceOf(RpcError);
  expect(error.rawMessage).toMatch(message);
  expect([Code.Internal, Code.ResourceExhausted, Code.NotFound]).toContain(error.code);
});

test("a long chain of imports is no trouble", async () => {
  const count = 9000;
  const files = Array.from(
    { length: count },
    (_, i): File => ({
      name: `f${i}`,
      dependency: i + 1 < count ? [`f${i + 1}`] : [],
      ...(i === 0 && { messageType: [{ name: "x" }] }),
    }),
  );
  expect((await clientOf(scripted(() => given(...files))).describe("x")).kind).toBe("message");
});

test("a server that ends the stream, or answers with no code, is told apart", async () => {
  const silent = registerServerReflection(createRouter(), { async *serverReflectionInfo() {} });
  expect(await errorOf(clientOf(silent).listServices())).toMatchObject({ code: Code.Internal, reason: "protocol" });
  const odd = scripted(() => ({ case: "errorResponse", value: { errorCode: 99, errorMessage: "odd" } }));
  expect(await errorOf(clientOf(odd).listServices())).toMatchObject({ code: Code.Unknown, rawMessage: "odd" });
  const unimplemented = scripted(() => ({ case: "errorResponse", value: { errorCode: 12, errorMessage: "this one" } }));
  expect(await errorOf(clientOf(unimplemented).listServices())).toMatchObject({ rawMessage: "this one" });
});

test("nothing runs after the answer: the call is over on the server as well", async () => {
  let running = 0;
  const router = registerServerReflection(createRouter(), {
    async *serverReflectionInfo(requests) {
      running++;
      try {
        for await (const _ of requests) yield { messageResponse: { case: "listServicesResponse", value: {} } };
      } finally {
        running--;
      }
    },
  });
  await clientOf(router).listServices();
  while (running > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("wrong options are named", () => {
  expect(() => clientOf(zoo(), { maxFiles: 0 })).toThrowError(/maxFiles.*0/);
  expect(() => createReflectionClient(undefined as never)).toThrowError(/channel/);
});
