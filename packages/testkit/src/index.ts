// What the repository's tests and benchmarks share: named exports only.
export {
  createTestCa,
  type TestCa,
  type TestCertificate,
  type TestCertificateOptions,
} from "./certificates.js";
export { echoHandlers } from "./echo-handlers.js";
export { FakeClock, turns } from "./fake-clock.js";
export { decodeFrames, encodeFrames, type RawFrame, rawFrame, rawType, unhex } from "./frames.js";
export * from "./gen/guestwire/test/v1/echo_pb.js";
export { type GoTool, goProgram, goTool, goTools } from "./go-tools.js";
export { describeAll, type Grpcurl, type GrpcurlCall, type GrpcurlResult, grpcurl } from "./grpcurl.js";
export { openHandles, watchHandles } from "./handles.js";
export { runClient, type ServerProgram, startServer } from "./peer-program.js";
export { propertySeed } from "./property-seed.js";
export { type RawPart, type RawPeer, type RawServer, rawConnect, rawListen, rawPair, rawPeer } from "./raw-peer.js";
export { rustArcbox, rustProgram } from "./rust-tools.js";
export { streamPair } from "./stream-pair.js";
export { type TempFolder, tempFolder } from "./temp-folder.js";
