// The public face of @guestwire/health: named exports only.
export { checkHealth } from "./check.js";
export { type Fleet, type FleetList, type WatchFleetOptions, watchFleet } from "./fleet.js";
export {
  Health,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponse_ServingStatusSchema,
  HealthCheckResponseSchema,
  type HealthListRequest,
  HealthListRequestSchema,
  type HealthListResponse,
  HealthListResponseSchema,
} from "./gen/grpc/health/v1/health_pb.js";
export {
  createHealthClient,
  type HealthClient,
  type HealthHandler,
  HealthMethods,
  registerHealth,
} from "./gen/grpc/health/v1/health_rpc.js";
export { createHealth, type HealthOptions, type ServerHealth } from "./health.js";
export { type ServiceName, ServingStatus } from "./serving-status.js";
export { type WaitUntilServingOptions, waitUntilServing } from "./wait.js";
export { type HealthState, type WatchBackoff, type WatchHealthOptions, watchHealth } from "./watch.js";
