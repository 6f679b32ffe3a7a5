// Names in certificates: nobody gets a second one by writing it into a first.
import { expect, test } from "vitest";
import { alternativeNames, peerIdentity } from "./peer-identity.js";

test.each([
  ["", []],
  ["DNS:a.test", ["DNS:a.test"]],
  ["DNS:a.test, IP Address:0:0:0:0:0:0:0:1", ["DNS:a.test", "IP Address:0:0:0:0:0:0:0:1"]],
  ["URI:spiffe://a/b, DNS:*.test", ["URI:spiffe://a/b", "DNS:*.test"]],
  ['DNS:"a.test, DNS:admin.test", DNS:b.test', ["DNS:a.test, DNS:admin.test", "DNS:b.test"]],
  ['DNS:"say \\"hi\\"", URI:x', ['DNS:say "hi"', "URI:x"]],
])("%s", (text, names) => {
  expect(alternativeNames(text)).toEqual(names);
});

test("an attribute's name is only a name", () => {
  const name = Object.create(null, { ["__proto__"]: { value: "x", enumerable: true } });
  const identity = peerIdentity({ subject: name, issuer: { CN: "a" }, valid_from: 0, valid_to: 0 } as never);
  expect(Object.keys(identity.subject)).toEqual(["__proto__"]);
  expect(identity.subject["constructor"]).toBeUndefined();
  expect(identity.issuer["CN"]).toEqual(["a"]);
});
