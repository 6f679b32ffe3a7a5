// The URLs that interceptors see: whatever the address, the path is the method's.
import { expect, test } from "vitest";
import { baseUrlOf, methodUrl } from "./method-url.js";

test.each([
  ["tcp://127.0.0.1:50051", "tcp://127.0.0.1:50051"],
  ["tcp://[::1]:50051", "tcp://[::1]:50051"],
  ["vsock://3:1024", "vsock://3:1024"],
  ["vsock://3:4294967295", "vsock://3%3A4294967295"],
  ["unix:///run/agent.sock", "unix://%2Frun%2Fagent.sock"],
  ["unix:@abstract", "unix://%40abstract"],
  ["in-process:", "in-process://local"],
  ["dns:///host:443", "dns://%2Fhost%3A443"],
  ["tcp://a:1,tcp://b:2", "tcp://a%3A1%2Ctcp%3A%2F%2Fb%3A2"],
  ["", "guestwire://local"],
  ["odd", "guestwire://odd"],
])("%s", (address, baseUrl) => {
  expect(baseUrlOf(address)).toBe(baseUrl);
  expect(new URL(methodUrl(baseUrl, "/a.B/C")).pathname).toBe("/a.B/C");
  expect(methodUrl(`${baseUrl}/`, "/a.B/C")).toBe(`${baseUrl}/a.B/C`);
});

test("a web address stays, with its prefix in the path", () => {
  expect(baseUrlOf("https://host/prefix")).toBe("https://host/prefix");
  expect(methodUrl("https://host/prefix", "/a.B/C")).toBe("https://host/prefix/a.B/C");
});
