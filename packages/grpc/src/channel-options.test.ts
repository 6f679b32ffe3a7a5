// The options of connect(): each wrong one is refused by its name, and the bounds are what they say.
import { Code, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import type { ConnectOptions } from "./channel-options.js";
import { defaultLimits, resolveLimits } from "./limits.js";

function problem(options: unknown, address = "unix:///run/none.sock"): RpcError {
  try {
    connect(address, options as ConnectOptions);
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it was not refused");
}

describe("options", () => {
  test.each([
    [null, "the options of connect() must be an object"],
    [{ timeout: 5 }, 'connect() has no option "timeout"'],
    [{ timeoutMs: -1 }, "timeoutMs"],
    [{ connectTimeoutMs: 0 }, "connectTimeoutMs"],
    [{ connectTimeoutMs: "5" }, "connectTimeoutMs"],
    [{ backoff: { initialMs: 0 } }, "backoff.initialMs"],
    [{ backoff: { maxMs: Number.NaN } }, "backoff.maxMs"],
    [{ keepalive: {} }, "keepalive.timeMs"],
    [{ keepalive: { timeMs: 1000, timeoutMs: -1 } }, "keepalive.timeoutMs"],
    [{ compression: "brotli" }, "compression must be none, gzip or deflate, not brotli"],
    [{ loadBalancing: "random" }, "loadBalancing must be pick_first or round_robin, not random"],
    [{ retries: 3 }, "retries must be true, false or an object"],
    [{ backoff: { maxDelay: 5 } }, 'backoff has no option "maxDelay"'],
    [{ keepalive: { timeMs: 5, permitWithoutCalls: true } }, 'keepalive has no option "permitWithoutCalls"'],
    [{ limits: { streamWindowBytes: 2 ** 31 } }, "streamWindowBytes"],
    [{ retries: { maxAttempts: 3 } }, 'retries has no option "maxAttempts"'],
    [{ retries: { attempts: 1 } }, "retries.attempts"],
    [{ retries: { initialBackoffMs: 0 } }, "retries.initialBackoffMs"],
    [{ retries: { maxBackoffMs: -5 } }, "retries.maxBackoffMs"],
    [{ retries: { backoffMultiplier: "2" } }, "retries.backoffMultiplier"],
    [{ retries: true, serviceConfig: {} }, "serviceConfig and retries"],
    [{ serviceConfig: { methodConfig: [{ name: 7 }] } }, "cannot connect to unix:///run/none.sock: Invalid"],
    [{ limits: { receiveMessageBytes: 0 } }, "the limit receiveMessageBytes"],
    [{ limits: { messageBytes: 1 } }, 'no limit called "messageBytes"'],
    [{ tls: false }, "tls must be true, options or a function"],
    [{ tls: { cert: "x" } }, "tls.cert is given without tls.key"],
    [{ tls: { ca: "nonsense" } }, "tls.ca is no certificate"],
    [{ tls: { rejectUnauthorized: false } }, 'tls has no option "rejectUnauthorized"'],
    [{ authority: 5 }, "authority must be text, not number"],
    [{ credentials: {} }, "credentials must be channel credentials of @grpc/grpc-js"],
    [{ waitForReady: "y" }, "waitForReady must be true or false, not y"],
    [{ userAgent: 5 }, "userAgent must be text, not number"],
    [{ interceptors: 5 }, "interceptors must be a list, not number"],
    [{ tls: true, credentials: {} }, "tls and credentials"],
  ])("%j is refused by name", (options, text) => {
    expect(problem(options)).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining(text),
    });
  });

  test("a name whose resolver is not registered is refused at once", () => {
    expect(problem({}, "xds:///guests")).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining("cannot connect to xds:///guests"),
    });
  });
});

describe("limits", () => {
  test("those not given are the defaults", () => {
    expect(resolveLimits()).toEqual(defaultLimits);
    expect(resolveLimits({ streamMessages: 1 })).toEqual({ ...defaultLimits, streamMessages: 1 });
  });

  test.each(Object.keys(defaultLimits))("%s is a whole number from 1 on", (name) => {
    for (const value of [0, -1, 1.5, Number.NaN, "1", null]) {
      expect(() => resolveLimits({ [name]: value } as never)).toThrow(`the limit ${name} must be`);
    }
    expect(resolveLimits({ [name]: 1 })).toMatchObject({ [name]: 1 });
  });
});
