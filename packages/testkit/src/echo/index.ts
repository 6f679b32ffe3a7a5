// The echo service alone, for programs that are measured: what the rest of the testkit loads would be measured with them.
export { echoHandlers } from "../echo-handlers.js";
export { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
