// The defaults of all bounds, and the refusal of wrong ones. Where a bound takes effect is tested there.
import { Code, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { protocolMaxBytes } from "./frame.js";
import { defaultLimits, type Limits, resolveLimits } from "./limits.js";

function refusal(given: object): RpcError {
  try {
    resolveLimits(given as Partial<Limits>);
  } catch (error) {
    return error as RpcError;
  }
  throw new Error("the limits were taken");
}

describe("resolveLimits", () => {
  test("gives the defaults where nothing is given", () => {
    expect(resolveLimits()).toEqual(defaultLimits);
    expect(resolveLimits({})).toEqual(defaultLimits);
  });

  test("the defaults cannot be changed and are taken themselves", () => {
    expect(Object.isFrozen(defaultLimits)).toBe(true);
    expect(resolveLimits(defaultLimits)).toEqual(defaultLimits);
  });

  test("replaces what is given and leaves the object given as it is", () => {
    const given = Object.freeze({ stallMs: 5 });
    expect(resolveLimits(given)).toEqual({ ...defaultLimits, stallMs: 5 });
  });

  test.each(Object.keys(defaultLimits))("%s is at least 1, and whole", (name) => {
    expect(resolveLimits({ [name]: 1 })).toMatchObject({ [name]: 1 });
    expect(resolveLimits({ [name]: 2 })).toMatchObject({ [name]: 2 });
    for (const wrong of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5", null, undefined]) {
      const error = refusal({ [name]: wrong });
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toBe(`the limit ${name} must be a whole number from 1 on, not ${wrong}`);
    }
  });

  test("messageBytes is at most the protocol's", () => {
    expect(resolveLimits({ messageBytes: protocolMaxBytes - 1 }).messageBytes).toBe(protocolMaxBytes - 1);
    expect(resolveLimits({ messageBytes: protocolMaxBytes }).messageBytes).toBe(protocolMaxBytes);
    expect(refusal({ messageBytes: protocolMaxBytes + 1 }).rawMessage).toMatch(
      /messageBytes must not be over .* 4194304, not 4194305/,
    );
  });

  test.each(["messagesBytes", "__proto__x", "constructor", "toString"])("an unknown limit %s is named", (name) => {
    expect(refusal({ [name]: 5 })).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: `there is no limit called "${name}"`,
    });
    expect(refusal({ [name]: 5 })).toBeInstanceOf(RpcError);
  });
});
