// Which addresses only this machine reaches.
import { expect, test } from "vitest";
import { isLoopback } from "./plaintext.js";

test.each(["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"])(
  "%s is loopback",
  (address) => {
    expect(isLoopback(address)).toBe(true);
  },
);

test.each(["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::ffff:10.0.0.1", "fe80::1", "localhost", ""])(
  "%s is not",
  (address) => {
    expect(isLoopback(address)).toBe(false);
  },
);
