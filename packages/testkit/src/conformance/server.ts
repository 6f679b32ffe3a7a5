// A program that connectconformance starts: serves the suite's handlers over gRPC as the one request on its input says, and says
// on its output where. Runs until it is ended.
import { type ServeOptions, serve } from "@guestwire/grpc";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "../gen/connectrpc/conformance/v1/server_compat_pb.js";
import { ConformanceService } from "../gen/connectrpc/conformance/v1/service_pb.js";
import { delimited, readDelimited } from "./delimited.js";
import { conformanceHandlers } from "./handlers.js";

for await (const request of readDelimited(ServerCompatRequestSchema, process.stdin)) {
  const { serverCreds, clientTlsCert, messageReceiveLimit, useTls } = request;
  const options: ServeOptions = {
    ...(useTls &&
      serverCreds && {
        tls: {
          cert: serverCreds.cert,
          key: serverCreds.key,
          ...(clientTlsCert.length > 0 && { ca: clientTlsCert, clientCertificates: "require" as const }),
        },
      }),
    ...(messageReceiveLimit > 0 && { limits: { receiveMessageBytes: messageReceiveLimit } }),
  };
  const server = serve(options).service(ConformanceService, conformanceHandlers);
  const { hostname, port } = new URL(await server.listen("tcp://127.0.0.1:0"));
  const response = { host: hostname, port: Number(port), ...(useTls && serverCreds && { pemCert: serverCreds.cert }) };
  process.stdout.write(delimited(ServerCompatResponseSchema, response));
}
