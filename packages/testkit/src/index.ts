// What the repository's tests and benchmarks share: named exports only.
export { echoHandlers } from "./echo-handlers.js";
export * from "./gen/guestwire/test/v1/echo_pb.js";
