// What is made of the statuses that grpc-js makes itself. Their texts are all there is to tell them from the server's, so
// each is one that grpc-js 1.14 has.
import { Metadata } from "@grpc/grpc-js";
import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { isTransportFault, statusError } from "./client-errors.js";

const call = { path: "/a.B/C", target: "unix:///run/a.sock", deadline: Number.POSITIVE_INFINITY };

test.each([
  [14, "Connection dropped", Code.Unavailable, "connection_closed"],
  [14, "read ECONNRESET", Code.Unavailable, "connection_closed"],
  [14, "Write error: write EPIPE", Code.Unavailable, "connection_closed"],
  [14, "Stream refused by server", Code.Unavailable, "connection_closed"],
  [
    13,
    "Received RST_STREAM with code 2 triggered by internal client error: The session has been destroyed",
    Code.Unavailable,
    "connection_closed",
  ],
  [
    13,
    "Received RST_STREAM with code 2 triggered by internal client error: write EPIPE",
    Code.Unavailable,
    "connection_closed",
  ],
  [13, "Received RST_STREAM with code 2 (Internal server error)", Code.Internal, "protocol"],
  [13, "Received RST_STREAM with code 2 triggered by internal client error: Protocol error", Code.Internal, "protocol"],
  [14, "Name resolution failed for target dns:a:1", Code.Unavailable, "connect_failed"],
  [8, "Received message larger than max (5 vs 4)", Code.ResourceExhausted, "oversize"],
  [12, "Received HTTP status code 404", Code.Unimplemented, "protocol"],
  [2, "No status information received", Code.Unknown, "protocol"],
  // What servers say with these codes.
  [14, "try another one", Code.Unavailable, undefined],
  [8, "the disk is full", Code.ResourceExhausted, undefined],
  [13, "Received nothing", Code.Internal, undefined],
])("%i %s", (code, details, expectedCode, reason) => {
  const error = statusError({ code, details, metadata: new Metadata() }, call);
  expect(error).toMatchObject({ code: expectedCode, reason, method: "/a.B/C", peer: "unix:///run/a.sock" });
});

test("a connection that could not be made names its cause and the address", () => {
  const details =
    "No connection established. Last error: Error: connect ENOENT /run/a.sock (2025-01-01T00:00:00.000Z). Resolution note: ";
  for (const text of [details, `round_robin: ${details}`]) {
    const error = statusError({ code: 14, details: text, metadata: new Metadata() }, call);
    expect(error.reason).toBe("connect_failed");
    expect(error.rawMessage).toBe("cannot connect to unix:///run/a.sock: connect ENOENT /run/a.sock");
  }
});

test("a fault of the transport has no trailer, an answer has", () => {
  const status = (code: number, details: string) => ({ code, details, metadata: new Metadata() });
  expect(isTransportFault(status(14, "Connection dropped"))).toBe(true);
  expect(isTransportFault(status(14, "try another one"))).toBe(false);
});
