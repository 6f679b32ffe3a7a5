// The cases that every ttrpc peer goes through, in both roles. The names are those that the peers' client programs take.

/** What is tried in each case. As a client, a peer makes the calls; as a server, ours makes them. */
export const peerCases: Readonly<Record<string, string>> = {
  unary: "text, bytes and a negative number there and back",
  empty: "an empty request and an empty answer",
  server_stream: "30 messages of 0 B, 1 B, 5 kB and 100 kB, in order",
  client_stream: "202 messages, the first and the last empty, and their sum",
  bidi: "100 exchanges, one after the other, and the end",
  empty_stream: "streams of nothing, and 1,000 empty messages both ways",
  metadata: "several values of a key in order, an empty one, keys in lower case",
  timeout: "`timeout_nano` reaches the handler; none is none",
  deadline: "a handler that never ends is given up in time; the connection stays",
  status: "the codes 1 to 16 with text and a detail, and a plain error",
  unknown: "no such service, no such method",
  stream_error: "three messages, then an error",
  early_end: "the server ends the call with an error while the client still sends",
  size_below: "a request frame of exactly 4 MiB",
  size_above: "one byte more: that call fails, the connection stays",
  reply_above: "an answer over the limit",
  cancel_unary: "a call is given up; the connection stays",
  cancel_stream: "streams of each kind are given up; the connection and the server stay",
  unread: "a stream that nobody reads, and a call beside it",
  concurrent: "1,000 calls at once, streams among them, each with its own answer; ids in order",
  shutdown: "the server closes gently with a call in flight",
  reset: "the connection is lost under running calls; the next one works",
  probe: "ten zero bytes, as readiness probes send them, are answered; the connection stays",
  control:
    "guestwire.control.v1: a server that does not know it is asked once, is harmed by nothing, and answers pings",
  integration:
    "Go's own integration service: Echo, EchoStream, SumStream, DivideStream, EchoNull, EchoNullStream, EmptyPayloadStream",
};
