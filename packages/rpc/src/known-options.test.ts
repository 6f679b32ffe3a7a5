// What is no option is refused by its name.
import { expect, test } from "vitest";
import { Code } from "./code.js";
import { checkKnown, checkSwitch, optionNames } from "./known-options.js";

const known = optionNames<{ readonly a: number; readonly b?: string }>({ a: true, b: true });

test("all names of an interface are known, none other and none that objects inherit", () => {
  expect(() => checkKnown("x", { a: 1, b: undefined }, known)).not.toThrow();
  for (const name of ["c", "toString", "constructor"]) {
    expect(() => checkKnown("x", { a: 1, [name]: undefined }, known)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument, rawMessage: `x has no option "${name}"` }),
    );
  }
});

test("options that are no object are refused", () => {
  for (const wrong of [null, "yes", 5]) {
    expect(() => checkKnown("x", wrong as never, known)).toThrow(`the options of x must be an object, not ${wrong}`);
  }
});

test("a switch is on, off or not given", () => {
  for (const right of [true, false, undefined]) expect(() => checkSwitch("x", right)).not.toThrow();
  for (const wrong of ["yes", 1, null]) {
    expect(() => checkSwitch("x", wrong as never)).toThrow(`x must be true or false, not ${wrong}`);
  }
});
