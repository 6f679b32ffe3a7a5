// The programs whose start is measured: for each stack what it imports, what its messages take, and its first call. Each is
// the least that a user would write, as text, for it runs in a folder into which the stack was installed. Runs nothing.

/** The folders into which packages are installed (`projects.ts`). */
export type ProjectName =
  | "guestwire-ttrpc"
  | "guestwire-grpc"
  | "grpcjs-protobufjs"
  | "grpcjs-protobufes"
  | "connect-node";

/** How far a program goes; each does what those before it do too. */
export type Stage = "import" | "messages" | "package" | "call";

/** One program. */
export interface ColdProgram {
  readonly stage: Stage;
  readonly stack: string;
  /** Where it runs; `undefined` where nothing has to be installed. */
  readonly project: ProjectName | undefined;
  /** An ES module, which is given the path of a unix socket. */
  readonly source: string;
}

/** The name under which rows tell of a stage. */
export function caseOf(stage: Stage | "nothing"): string {
  return `cold-start-${stage}`;
}

interface Parts {
  readonly stack: string;
  readonly project?: ProjectName;
  /** The library's own import. */
  readonly import: string;
  /** The messages of the echo service: in code of one's own, or loaded. */
  readonly messages?: string;
  /** One call and its answer. */
  readonly call: string;
}

/** Tells the CPU time that the process used until here, and ends it at once: closing in good order is not what is asked. */
const finish = `writeSync(1, JSON.stringify(process.cpuUsage()));\nprocess.exit(0);`;

const protoLoader = `const definition = loadSync("echo.proto", { includeDirs: [import.meta.dirname], longs: String, defaults: true });
const { EchoService } = loadPackageDefinition(definition).guestwire.test.v1;`;

const protobufEsForGrpc = `import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EchoService as service } from "./echo_pb.js";
const { echo } = service.method;
const EchoService = makeGenericClientConstructor({
  echo: {
    path: "/guestwire.test.v1.EchoService/Echo",
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(toBinary(echo.input, message)),
    requestDeserialize: (bytes) => fromBinary(echo.input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(echo.output, message)),
    responseDeserialize: (bytes) => fromBinary(echo.output, bytes),
  },
}, service.typeName);`;

// Names are asked for as \`payload\`, which the servers of all stacks give back.
const grpcCall = (
  message: string,
): string => `const client = new EchoService("unix:" + path, credentials.createInsecure());
const { payload } = await new Promise((resolve, reject) => {
  client.echo(${message}, (error, reply) => (error ? reject(error) : resolve(reply)));
});`;

const guestwire = (wire: "ttrpc" | "grpc"): Parts => ({
  stack: `guestwire-${wire}`,
  project: `guestwire-${wire}`,
  import: `import { connect } from "@guestwire/${wire}";`,
  messages: `import { createClient } from "@guestwire/rpc";\nimport { EchoService } from "./echo_pb.js";`,
  call: `const channel = connect("unix://" + path);
const { payload } = await createClient(EchoService, channel).echo({ payload: sent });`,
});

const stacks: readonly Parts[] = [
  {
    stack: "raw",
    import: `import { connect } from "node:net";`,
    call: `const socket = connect(path);
socket.write(sent);
const payload = await new Promise((resolve, reject) => socket.on("data", resolve).on("error", reject));`,
  },
  {
    stack: "http2",
    import: `import { connect } from "node:http2";`,
    messages: `import { connect as dial } from "node:net";`,
    call: `const session = connect("http://localhost", { createConnection: () => dial(path) });
const stream = session.request({ ":method": "POST", ":path": "/", te: "trailers" });
stream.end(sent);
const payload = await new Promise((resolve, reject) => stream.on("data", resolve).on("error", reject));`,
  },
  {
    stack: "grpcjs-protobufjs",
    project: "grpcjs-protobufjs",
    import: `import { credentials, loadPackageDefinition } from "@grpc/grpc-js";\nimport { loadSync } from "@grpc/proto-loader";`,
    messages: protoLoader,
    call: grpcCall("{ payload: sent }"),
  },
  {
    stack: "grpcjs-protobufes",
    project: "grpcjs-protobufes",
    import: `import { credentials, makeGenericClientConstructor } from "@grpc/grpc-js";`,
    messages: protobufEsForGrpc,
    call: grpcCall("create(echo.input, { payload: sent })"),
  },
  {
    stack: "connect-node",
    project: "connect-node",
    import: `import { createClient } from "@connectrpc/connect";\nimport { createGrpcTransport } from "@connectrpc/connect-node";`,
    messages: `import { connect as dial } from "node:net";\nimport { EchoService } from "./echo_pb.js";`,
    call: `const nodeOptions = { createConnection: () => dial(path) };
const transport = createGrpcTransport({ baseUrl: "http://localhost", nodeOptions });
const { payload } = await createClient(EchoService, transport).echo({ payload: sent });`,
  },
  guestwire("grpc"),
  guestwire("ttrpc"),
];

/** All programs in Node. */
export const coldPrograms: readonly ColdProgram[] = stacks.flatMap(({ stack, project, call, ...parts }) => {
  const sent = `const sent = Buffer.alloc(64, "cold");`;
  const check = `if (Buffer.compare(payload, sent) !== 0) throw new Error("something else came back");`;
  const program = (stage: Stage, ...lines: readonly (string | undefined)[]): ColdProgram => {
    const source = [`import { writeSync } from "node:fs";`, ...lines, finish].filter((line) => line !== undefined);
    return { stage, stack, project, source: `${source.join("\n")}\n` };
  };
  const path = "const path = process.argv[2];";
  const all = [
    program("import", parts.import),
    // Where there are no messages, there is no stage between the import and the call.
    ...(project === undefined ? [] : [program("messages", parts.import, parts.messages)]),
    program("call", parts.import, parts.messages, path, sent, call, check),
  ];
  if (stack !== "guestwire-ttrpc") return all;
  const machine = `import { createClient } from "@guestwire/rpc";\nimport { MachineService } from "@guestwire/machine";`;
  return [...all, program("package", parts.import, machine)];
});
