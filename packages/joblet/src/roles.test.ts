import { Code, type HandlerContext, type Peer, RpcError, type ServedMethod } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { JobService } from "./gen/joblet/job_pb.js";
import { MonitoringService } from "./gen/joblet/monitoring_pb.js";
import { NetworkService } from "./gen/joblet/network_pb.js";
import { RuntimeService } from "./gen/joblet/runtime_pb.js";
import { VolumeService } from "./gen/joblet/volume_pb.js";
import { jobletAuthorize, viewerMethods } from "./roles.js";

const services = [JobService, NetworkService, VolumeService, RuntimeService, MonitoringService];
const methods = services.flatMap(({ typeName, methods: all }) =>
  all.map((method) => ({
    path: `/${typeName}/${method.name}`,
    service: typeName,
    name: method.name,
    kind: method.methodKind,
    // As the schema says it: 1 is NO_SIDE_EFFECTS.
    idempotency: method.idempotency === 1 ? "no_side_effects" : "unknown",
  })),
) as unknown as ServedMethod[];
const context = {} as HandlerContext;

function peer(...units: string[]): Peer {
  const identity = { subject: { CN: ["someone"], OU: units } } as unknown as NonNullable<Peer["identity"]>;
  return { kind: "tcp", address: "tcp://127.0.0.1:1", identity };
}

function codeFor(caller: Peer, method: ServedMethod, authorize = jobletAuthorize()): Code | "allowed" {
  try {
    return authorize(caller, method, context) === true ? "allowed" : Code.Internal;
  } catch (error) {
    return RpcError.from(error).code;
  }
}

test("viewers may call exactly what the schema says only reads, and watch the system", () => {
  for (const method of methods) {
    const reads = method.idempotency === "no_side_effects" || method.service === MonitoringService.typeName;
    expect([method.path, codeFor(peer("viewer"), method)]).toEqual([
      method.path,
      reads ? "allowed" : Code.PermissionDenied,
    ]);
  }
  const paths = methods.map(({ path }) => path);
  for (const path of viewerMethods) expect(paths).toContain(path);
});

test("admins may call everything", () => {
  for (const method of methods) expect(codeFor(peer("admin"), method)).toBe("allowed");
});

describe("the role", () => {
  const run = methods.find(({ name }) => name === "RunJob") as ServedMethod;
  const list = methods.find(({ name }) => name === "ListJobs") as ServedMethod;

  test("is the first OU that is one, whatever its case", () => {
    expect(codeFor(peer("Sales", "ADMIN", "viewer"), run)).toBe("allowed");
    expect(codeFor(peer("Viewer", "admin"), run)).toBe(Code.PermissionDenied);
    expect(codeFor(peer("Viewer", "admin"), list)).toBe("allowed");
    expect(codeFor(peer("administrators"), list)).toBe(Code.PermissionDenied);
    expect(codeFor(peer(), list)).toBe(Code.PermissionDenied);
  });

  test("needs a certificate, but for watching the system", () => {
    const nobody: Peer = { kind: "tcp", address: "tcp://127.0.0.1:1" };
    for (const method of methods) {
      const watching = method.service === MonitoringService.typeName;
      expect(codeFor(nobody, method)).toBe(watching ? "allowed" : Code.Unauthenticated);
    }
  });
});

test("other services beside are for admins, but for health and reflection; one can say otherwise", () => {
  const other = (service: string) => ({ path: `/${service}/Do`, service, name: "Do" }) as unknown as ServedMethod;
  const nobody: Peer = { kind: "tcp", address: "tcp://127.0.0.1:1" };
  expect(codeFor(peer("viewer"), other("arcbox.v1.MachineService"))).toBe(Code.PermissionDenied);
  expect(codeFor(nobody, other("arcbox.v1.MachineService"))).toBe(Code.Unauthenticated);
  expect(codeFor(peer("admin"), other("arcbox.v1.MachineService"))).toBe("allowed");
  expect(codeFor(nobody, other("grpc.health.v1.Health"))).toBe("allowed");
  expect(codeFor(nobody, other("grpc.reflection.v1.ServerReflection"))).toBe("allowed");
  expect(codeFor(nobody, other("jobletx.Service"))).toBe(Code.Unauthenticated);
  const open = jobletAuthorize({ others: () => true });
  expect(codeFor(nobody, other("arcbox.v1.MachineService"), open)).toBe("allowed");
});
