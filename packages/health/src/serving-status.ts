// The four statuses and the names they belong to, under shorter names than the generated ones. No behaviour but checks.
import type { DescService } from "@bufbuild/protobuf";
import { Code, RpcError } from "@guestwire/rpc";
import { HealthCheckResponse_ServingStatus } from "./gen/grpc/health/v1/health_pb.js";

/**
 * What a service can be: `SERVING`, `NOT_SERVING`, `UNKNOWN` (nothing was said) and `SERVICE_UNKNOWN` (the server has no
 * such service). Everything but `SERVING` counts as not healthy.
 */
export const ServingStatus: typeof HealthCheckResponse_ServingStatus = HealthCheckResponse_ServingStatus;

/** One of the values of {@link ServingStatus}, or a number that a newer server sends. */
export type ServingStatus = HealthCheckResponse_ServingStatus;

/** A service, by its full name or its generated descriptor; `""` is the server as a whole. */
export type ServiceName = string | Pick<DescService, "typeName">;

/**
 * The full name of a service.
 *
 * @throws {RpcError} Code.InvalidArgument when it is none.
 */
export function serviceName(service: ServiceName): string {
  const name = typeof service === "string" ? service : service?.typeName;
  if (typeof name !== "string") {
    throw new RpcError(
      Code.InvalidArgument,
      `a service is its full name or a generated service, not ${typeof service}`,
    );
  }
  if (name.includes("/")) {
    throw new RpcError(Code.InvalidArgument, `${JSON.stringify(name)} is no name of a service: those have no slash`);
  }
  return name;
}

/** A status' name, as `NOT_SERVING`; the number where it has none. */
export function statusName(status: ServingStatus): string {
  const found = Object.entries(ServingStatus).find(([, value]) => value === status);
  return found === undefined ? String(status) : found[0];
}
