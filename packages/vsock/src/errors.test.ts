import { constants } from "node:os";
import { expect, test } from "vitest";
import { formatVsock } from "./cids.js";
import { check, systemError, unavailable } from "./errors.js";

test("a failed call has Node's properties and the address", () => {
  const error = systemError(-constants.errno.ECONNRESET, "connect", { cid: 3, port: 1024 });
  expect(error).toBeInstanceOf(Error);
  expect(error.message).toBe("connect ECONNRESET: connection reset by peer vsock://3:1024");
  expect({ ...error }).toEqual({
    code: "ECONNRESET",
    errno: -constants.errno.ECONNRESET,
    syscall: "connect",
    address: "vsock://3:1024",
    cid: 3,
    port: 1024,
  });
});

test("without an address the message ends with the reason", () => {
  const error = systemError(-constants.errno.EMFILE, "socket");
  expect(error.message).toBe("socket EMFILE: too many open files");
  expect(Object.keys(error)).toEqual(["code", "errno", "syscall"]);
});

test("a number that Node has no name for stays a number", () => {
  const error = systemError(-4_000, "ioctl");
  expect(error.code).toMatch(/4000/);
  expect(error.message).toMatch(/^ioctl .*4000/);
});

test("check gives results and throws errors", () => {
  expect(check(7, "socket")).toBe(7);
  expect(() => check(-constants.errno.EADDRINUSE, "listen", { cid: 0xffffffff, port: 5 })).toThrow(
    "listen EADDRINUSE: address already in use vsock://any:5",
  );
});

test("unavailability has a code of its own and keeps its cause", () => {
  const cause = new Error("why");
  expect(unavailable("no reason", cause)).toMatchObject({ code: "ERR_VSOCK_UNAVAILABLE", cause });
  expect("cause" in unavailable("no reason")).toBe(false);
});

test("addresses as text name the wildcards", () => {
  expect(formatVsock({ cid: 0xffffffff, port: 0xffffffff })).toBe("vsock://any:any");
  expect(formatVsock({ cid: 2, port: 0 })).toBe("vsock://2:0");
});
