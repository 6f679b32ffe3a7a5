// The ids of raw streams: a number of 32 bits each, none twice in a round, none 0, and their texts.
import fc from "fast-check";
import { expect, test } from "vitest";
import { createStreamIds, parseStdioUrl, streamUrl } from "./index.js";

fc.configureGlobal({ seed: Number(process.env["PROPERTY_SEED"] ?? 20_250_101), numRuns: 1000 });

const lastId = 0xffff_ffff;
const anyId = fc.oneof(fc.integer({ min: 1, max: lastId }), fc.integer({ min: lastId - 40, max: lastId }));

test("from anywhere ids rise by one, begin again at 1 behind the last, and none comes twice", () => {
  fc.assert(
    fc.property(anyId, (first) => {
      const ids = createStreamIds(first);
      const given = Array.from({ length: 60 }, () => ids.next());
      expect(given).toEqual(given.map((_, i) => ((first - 1 + i) % lastId) + 1));
      expect(new Set(given).size).toBe(60);
    }),
  );
});

test("an id's text is read as that id; another number is refused", () => {
  fc.assert(
    fc.property(anyId, (id) => {
      expect(parseStdioUrl(streamUrl(id))).toEqual({ scheme: "stream", id });
    }),
  );
  const none = fc.oneof(
    fc.integer({ min: lastId + 1, max: Number.MAX_SAFE_INTEGER }),
    fc.integer({ max: 0 }),
    fc.double().filter((n) => !Number.isInteger(n)),
  );
  fc.assert(
    fc.property(none, (id) => {
      expect(() => createStreamIds(id)).toThrow("is no stream id");
      expect(() => parseStdioUrl(streamUrl(id))).toThrow("a stream is named by a number");
    }),
  );
});
