// Typed values of a call.
import { describe, expect, expectTypeOf, test } from "vitest";
import { type ContextKey, createContextKey, createContextValues } from "./context-values.js";

describe("context values", () => {
  test("a key gives its default until it is set", () => {
    const user = createContextKey("nobody", { description: "user" });
    const values = createContextValues();
    expect(user.description).toBe("user");
    expect(values.get(user)).toBe("nobody");
    expect(values.has(user)).toBe(false);
    expect(values.set(user, "ada").get(user)).toBe("ada");
    expect(values.has(user)).toBe(true);
    expect(values.delete(user)).toBe(true);
    expect(values.delete(user)).toBe(false);
    expect(values.get(user)).toBe("nobody");
  });

  test("keys are told apart by identity, not by description", () => {
    const one = createContextKey(1, { description: "n" });
    const two = createContextKey(2, { description: "n" });
    const values = createContextValues().set(one, 10);
    expect([values.get(one), values.get(two)]).toEqual([10, 2]);
    expect(createContextKey(0).description).toBe("");
  });

  test("a value that is undefined counts as set", () => {
    const key = createContextKey<string | undefined>("default");
    const values = createContextValues().set(key, undefined);
    expect(values.has(key)).toBe(true);
    expect(values.get(key)).toBeUndefined();
  });

  test("sets are apart from each other, and keys cannot be changed", () => {
    const key = createContextKey(0);
    createContextValues().set(key, 1);
    expect(createContextValues().get(key)).toBe(0);
    expect(Object.isFrozen(key)).toBe(true);
  });

  test("types: the key decides", () => {
    const key: ContextKey<number> = createContextKey(0);
    const values = createContextValues();
    expectTypeOf(values.get(key)).toEqualTypeOf<number>();
    expectTypeOf(values.has).toBeCallableWith(key);
    // @ts-expect-error: a text is no number
    values.set(key, "text");
    expect(values.get<unknown>(key)).toBe("text");
  });
});
