// Base64 on the wire, as gRPC wants it.
import { expect, test } from "vitest";
import { WireMetadata } from "./wire-metadata.js";

test("bytes are sent without padding, one value or several, also of a copy; text is left alone", () => {
  const metadata = new WireMetadata({ waitForReady: true });
  metadata.add("one-bin", Buffer.from([1]));
  metadata.add("two-bin", Buffer.from([1, 2]));
  metadata.add("two-bin", Buffer.from([1, 2, 3]));
  metadata.add("text", "a==");
  const headers = { "one-bin": "AQ", "two-bin": ["AQI", "AQID"], text: "a==" };
  expect(metadata.toHttp2Headers()).toEqual(headers);
  const copy = metadata.clone();
  copy.add("more", "1");
  expect(copy.toHttp2Headers()).toEqual({ ...headers, more: "1" });
  expect(copy.getOptions()).toEqual({ waitForReady: true });
  expect(metadata.get("more")).toEqual([]);
});
