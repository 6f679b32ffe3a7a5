// One question about a server's health. Whoever wants to follow it takes watch.ts.
import type { CallOptions, Channel } from "@guestwire/rpc";
import { createHealthClient } from "./gen/grpc/health/v1/health_rpc.js";
import { type ServiceName, type ServingStatus, serviceName } from "./serving-status.js";

/**
 * Asks how a service is now. Give a `timeoutMs`: a server that is stuck does not answer.
 *
 * @param channel A channel of any transport.
 * @param service Its name or descriptor. Default `""`, the server as a whole.
 * @throws {RpcError} (as a rejection) Code.NotFound when the server does not know the service; Code.Unimplemented when it has
 * no health service; Code.Unavailable when it cannot be reached.
 */
export async function checkHealth(
  channel: Channel,
  service: ServiceName = "",
  options?: CallOptions,
): Promise<ServingStatus> {
  const { status } = await createHealthClient(channel).check({ service: serviceName(service) }, options);
  return status;
}
