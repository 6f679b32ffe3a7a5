// Error frames of any number, text and bytes.
import { Code, isCode, RpcError } from "@guestwire/rpc";
import { propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { codeFromFrame, codeToFrame, decodeErrorPayload, encodeErrorPayload, encodeFrameError } from "./error-frame.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

// HTTP has no number for them.
const lost: readonly Code[] = [Code.Unknown, Code.Aborted, Code.DataLoss];
const text = fc.string({ unit: "binary", maxLength: 80 });

test("an error of ours comes back with its text, and with its code where HTTP has one", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(Code)), text, (code, message) => {
      const back = decodeErrorPayload(encodeErrorPayload(new RpcError(code, message)));
      expect(back.rawMessage).toBe(message);
      expect(back.code).toBe(lost.includes(code) ? Code.Internal : code);
    }),
  );
});

test("any number of an agent is a code, and none is lost: it stands in the text where it means nothing", () => {
  const number = fc.oneof(fc.integer({ min: -1, max: 600 }), fc.integer());
  fc.assert(
    fc.property(number, text, (given, message) => {
      const error = decodeErrorPayload(encodeFrameError(given, message));
      expect(isCode(error.code)).toBe(true);
      expect(error.code).toBe(codeFromFrame(given));
      expect(error.rawMessage.startsWith(message)).toBe(true);
      const known = error.rawMessage === message;
      expect(known || error.rawMessage.endsWith(`(the agent's code ${given})`)).toBe(true);
      // What is sent on means the same.
      if (!lost.includes(error.code)) expect(codeFromFrame(codeToFrame(error.code))).toBe(error.code);
    }),
  );
});

test("any bytes are an error with a code and text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const error = decodeErrorPayload(bytes);
      expect(isCode(error.code)).toBe(true);
      expect(error.rawMessage.isWellFormed()).toBe(true);
      expect(error.reason).toBe(bytes.length < 8 ? "protocol" : undefined);
    }),
  );
});
