// A micro-benchmark of the message codec beside protobuf-es: `node packages/bench/dist/codec.js`. Prints ns per operation.
// All shapes run in one process and are mixed before anything is measured, as they are in a service.
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { codecFor, Sink } from "@guestwire/rpc/codec";

/** Fields of a message: name to type, `[type]` for lists, a message's name for messages. Numbered in order. */
type Shape = Record<string, Type | string | [Type | string]>;

const shapes: Record<string, Shape> = {
  InfoResponse: { version: Type.STRING, kernel_version: Type.STRING },
  KeyValue: { key: Type.STRING, value: Type.STRING },
  Request: {
    service: Type.STRING,
    method: Type.STRING,
    payload: Type.BYTES,
    timeout_nano: Type.INT64,
    metadata: ["KeyValue"],
  },
  Status: { code: Type.INT32, message: Type.STRING },
  Response: { status: "Status", payload: Type.BYTES },
  OutputChunk: { stream: Type.STRING, data: Type.BYTES, exit_code: Type.INT32, done: Type.BOOL },
  MachineSummary: {
    id: Type.STRING,
    name: Type.STRING,
    state: Type.STRING,
    cpus: Type.UINT32,
    memory: Type.UINT64,
    disk_size: Type.UINT64,
    ip_address: Type.STRING,
    created: Type.INT64,
  },
  ListMachines: { machines: ["MachineSummary"] },
  Metrics: { values: [Type.DOUBLE], counts: [Type.UINT32], load: Type.FLOAT, at: Type.FIXED64 },
};

function makeSchemas(): (name: string) => DescMessage {
  const messageType = Object.entries(shapes).map(([name, shape]) => ({
    name,
    field: Object.entries(shape).map(([field, kind], i) => {
      const list = Array.isArray(kind);
      const type = list ? kind[0] : kind;
      return {
        name: field,
        number: i + 1,
        label: list ? Label.REPEATED : Label.OPTIONAL,
        ...(typeof type === "string" ? { type: Type.MESSAGE, typeName: `.bench.${type}` } : { type }),
      };
    }),
  }));
  const file = create(FileDescriptorProtoSchema, { name: "b.proto", package: "bench", syntax: "proto3", messageType });
  const registry = createFileRegistry(file, () => undefined);
  return (name) => registry.getMessage(`bench.${name}`) as DescMessage;
}

const infoBytes = new Uint8Array(24).fill(1);
const request = {
  service: "arcbox.v1.MachineService",
  method: "Inspect",
  payload: infoBytes,
  timeoutNano: 5_000_000_000n,
};

const cases: [label: string, schema: string, init: Record<string, unknown>][] = [
  ["InfoResponse", "InfoResponse", { version: "1.2.3", kernelVersion: "6.1.0-21-arcbox01" }],
  ["Request, no metadata", "Request", { ...request, timeoutNano: 0n }],
  ["Request, timeout + 1", "Request", { ...request, metadata: [{ key: "traceparent", value: "00-4bf92f3577b34da6" }] }],
  ["Response", "Response", { payload: infoBytes }],
  ["OutputChunk 32 KiB", "OutputChunk", { stream: "stdout", data: new Uint8Array(32768).fill(65), done: false }],
  ["ListMachines x 100", "ListMachines", { machines: Array.from({ length: 100 }, (_, i) => machine(i)) }],
  ["Metrics, 2 x 50 packed", "Metrics", metrics()],
];

function machine(i: number): Record<string, unknown> {
  return {
    id: `machine-${1000 + i}`,
    name: `build-worker-${i}`,
    state: i % 3 === 0 ? "stopped" : "running",
    cpus: 4,
    memory: 8_589_934_592n,
    diskSize: 68_719_476_736n,
    ipAddress: `192.168.64.${i}`,
    created: 1_760_000_000n + BigInt(i),
  };
}

function metrics(): Record<string, unknown> {
  const values = Array.from({ length: 50 }, (_, i) => i * 1.25);
  const counts = Array.from({ length: 50 }, (_, i) => i * 37);
  return { values, counts, load: 0.5, at: 1_760_000_000_000n };
}

/** The median over rounds, in ns per run; each round lasts about as long as the others, however fast the run is. */
function measure(run: () => unknown): number {
  const roundMs = 60;
  let times = 1;
  for (let spent = 0; spent < roundMs / 4; ) {
    times *= 2;
    const start = performance.now();
    for (let i = 0; i < times; i++) kept = run();
    spent = performance.now() - start;
  }
  times *= 4;
  const rounds = Array.from({ length: 5 }, () => {
    const start = performance.now();
    for (let i = 0; i < times; i++) kept = run();
    return ((performance.now() - start) * 1e6) / times;
  });
  return rounds.sort((a, b) => a - b)[2] as number;
}

/** Keeps results alive, so that no run is optimised away. */
let kept: unknown;

const schemaOf = makeSchemas();
const sink = new Sink(Buffer.allocUnsafeSlow(65536));
const runs = cases.map(([label, name, init]) => {
  const schema = schemaOf(name);
  const codec = codecFor(schema);
  const message = create(schema, init);
  const bytes = toBinary(schema, message);
  return {
    label,
    size: bytes.length,
    "encode to slab": () => {
      codec.encode(message, sink);
      sink.rollback(0, 0, 0);
    },
    toBytes: () => codec.toBytes(message),
    "toBinary (es)": () => toBinary(schema, message),
    decode: () => codec.decode(bytes, 0, bytes.length),
    "fromBinary (es)": () => fromBinary(schema, bytes),
    create: () => codec.create(init),
    "create (es)": () => create(schema, init),
  };
});

for (let i = 0; i < 300; i++) {
  for (const { label: _label, size: _size, ...each } of runs) for (const run of Object.values(each)) kept = run();
}
const rows = runs.map(({ label, size, ...each }) => {
  const columns = Object.entries(each).map(([name, run]) => [name, Math.round(measure(run))]);
  return { message: label, bytes: size, ...Object.fromEntries(columns) };
});
console.table(rows);
if (kept === undefined) process.exitCode = 1;
