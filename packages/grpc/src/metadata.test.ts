// Metadata on its way through gRPC: what arrives, and what is refused before it can do harm.
import { Code, createClient, Metadata, RpcError } from "@guestwire/rpc";
import { EchoService, propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { fromGrpcMetadata, toGrpcMetadata } from "./metadata.js";
import { plainServer } from "./plain-server.test.support.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

const keys = fc
  .stringMatching(/^[a-z][0-9a-z_.-]{0,20}$/)
  .filter((key) => !key.startsWith("grpc-") && !key.endsWith("-bin"))
  .map((key) => `x-${key}`);
const words = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,30}[!-~])?)?$/);
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString("base64"));

function problem(init: ConstructorParameters<typeof Metadata>[0]): RpcError {
  try {
    toGrpcMetadata(new Metadata(init));
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it was not refused");
}

describe("conversion", () => {
  test("keeps every key and value, and the order of a key's values", () => {
    const pairs = fc.array(
      fc.oneof(
        fc.tuple(keys, words),
        fc.tuple(
          keys.map((key) => `${key}-bin`),
          bytes,
        ),
      ),
    );
    fc.assert(
      fc.property(pairs, (list) => {
        const sent = new Metadata(list);
        const back = fromGrpcMetadata(toGrpcMetadata(sent));
        expect(back.size).toBe(sent.size);
        for (const [key] of list) expect(back.getAll(key)).toEqual(sent.getAll(key));
      }),
    );
  });

  test("base64 needs no padding, and may be that of URLs", () => {
    const made = toGrpcMetadata(new Metadata({ "a-bin": ["AQ", "AQ==", "AQI", "-_8"] }));
    expect(made.get("a-bin").map((value) => (value as Buffer).toString("hex"))).toEqual(["01", "01", "0102", "fbff"]);
    expect(fromGrpcMetadata(made).getAll("a-bin")).toEqual(["AQ==", "AQ==", "AQI=", "+/8="]);
  });

  test("what HTTP/2 and gRPC say to each other is left out of what was received", () => {
    const made = toGrpcMetadata(new Metadata({ "content-type": "application/grpc", te: "trailers", "x-mine": "1" }));
    made.set("grpc-timeout", "1S");
    made.set("grpc-status-details-bin", Buffer.from("x"));
    made.set("grpc-previous-rpc-attempts", "2");
    expect([...fromGrpcMetadata(made)]).toEqual([
      ["x-mine", "1"],
      ["grpc-previous-rpc-attempts", "2"],
    ]);
  });
});

describe("what gRPC cannot carry is refused by name", () => {
  test.each([
    ["a key with a character of HTTP's that is none of gRPC's", { "x!y": "1" }, "x!y"],
    ["text that is not ASCII", { "x-name": "ü" }, "x-name"],
    ["a line break", { "x-name": "a\nb" }, "x-name"],
    ["a space in front", { "x-name": " a" }, "x-name"],
    ["a space behind", { "x-name": "a " }, "x-name"],
    ["bytes that are no base64", { "x-bin": "not base64!" }, "x-bin"],
    ["base64 with one letter too many", { "x-bin": "AQIDA" }, "x-bin"],
    ["base64 with half its padding", { "x-bin": "AQ=" }, "x-bin"],
    ["base64 with too much padding", { "x-bin": "AQID====" }, "x-bin"],
    ["what belongs to the connection", { connection: "close" }, "connection"],
    ["a length that HTTP/2 would hold the call to", { "content-length": "7" }, "content-length"],
    ["several values of a key that may have one", { authorization: ["a", "b"] }, "authorization"],
  ])("%s", (_, init, key) => {
    const error = problem(init);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toContain(`"${key}"`);
  });

  // Node's own list is not to be had, and grpc-js begins a call anew for ever when Node refuses its headers.
  test("all keys that Node refuses are known: none makes a call hang, and none harms another call", async () => {
    await using server = await plainServer({ echo: (_, done) => done(null, {}), hang: () => {} });
    await using channel = connect(server.address);
    const client = createClient(EchoService, channel);
    let harmed = "";
    const beside = client.hang({}).catch((error: unknown) => {
      harmed = String(error);
    });
    const suspects = [
      ..."accept accept-charset accept-language age allow alt-svc authorization cache-control connection cookie".split(
        " ",
      ),
      ..."content-disposition content-encoding content-length content-type date dnt etag expect expires from".split(
        " ",
      ),
      ..."host http2-settings if-match if-range keep-alive last-modified link location max-forwards origin".split(" "),
      ..."proxy-authorization proxy-connection range referer retry-after server set-cookie te tk trailer".split(" "),
      ..."transfer-encoding upgrade upgrade-insecure-requests user-agent vary via x-content-type-options".split(" "),
    ];
    for (const key of suspects) {
      for (const value of ["1", ["1", "2"]]) {
        const error = RpcError.from(
          await client.echo({}, { metadata: { [key]: value }, timeoutMs: 20_000 }).then(
            () => new RpcError(Code.NotFound, "it was sent"),
            (thrown: unknown) => thrown,
          ),
        );
        // Whatever it is, it comes at once; a call that hangs would keep even the deadline from being noticed.
        expect([Code.NotFound, Code.InvalidArgument, Code.Internal], `${key}: ${error}`).toContain(error.code);
        expect(harmed, key).toBe("");
      }
    }
    await channel.close();
    await beside;
  });
});

describe("on the wire", () => {
  test("requests, headers and trailers carry text and bytes", async () => {
    await using server = await plainServer({
      echo(call, done) {
        const header = call.metadata.clone();
        call.sendMetadata(header);
        const trailer = toGrpcMetadata(new Metadata({ "x-trailer": "t", "x-trailer-bin": ["AA==", ""] }));
        done(null, {}, trailer);
      },
    });
    await using channel = connect(server.address);
    const seen: Metadata[] = [];
    const metadata = { "x-text": ["a b", "c"], "x-bytes-bin": ["AQID", "/w=="] };
    await createClient(EchoService, channel).echo(
      {},
      { metadata, onHeader: (header) => seen.push(header), onTrailer: (trailer) => seen.push(trailer) },
    );
    const [header, trailer] = seen;
    expect(header?.getAll("x-text")).toEqual(["a b, c"]);
    expect(header?.getAll("x-bytes-bin")).toEqual(["AQID", "/w=="]);
    expect(JSON.stringify(trailer)).toBe('[["x-trailer","t"],["x-trailer-bin","AA=="],["x-trailer-bin",""]]');
  });

  test("of the size of the bound and one byte more", async () => {
    await using server = await plainServer({ echo: (_, done) => done(null, {}) });
    await using channel = connect(server.address, { limits: { metadataBytes: 1024 } });
    const client = createClient(EchoService, channel);
    const room = 1024 - 32 - "x-large".length;
    for (const size of [room - 1, room]) await client.echo({}, { metadata: { "x-large": "v".repeat(size) } });
    await expect(client.echo({}, { metadata: { "x-large": "v".repeat(room + 1) } })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      reason: "oversize",
      rawMessage: "the metadata takes 1025 bytes; the limit is 1024",
    });
  });
});
