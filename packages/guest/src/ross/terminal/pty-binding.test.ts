import { closeSync } from "node:fs";
import { Code, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";

// A module of its own, where nothing is loaded yet.
test("without the prebuilt binary a terminal is a failed precondition that says so", async () => {
  const { loadPtyBinding, openPty } = await import("./pty-binding.js");
  const missing = (): never => {
    throw new Error("Cannot find module '@lydell/node-pty-plan9-mips/pty.node'\nRequire stack: …");
  };
  expect(() => loadPtyBinding(missing)).toThrow(RpcError);
  try {
    loadPtyBinding(missing);
  } catch (error) {
    expect(error).toMatchObject({ code: Code.FailedPrecondition });
    expect((error as RpcError).rawMessage).toMatch(
      /^there are no terminals here: node-pty has no binary for .*Cannot find module '@lydell\/node-pty-plan9-mips\/pty.node'\)/,
    );
  }
  const full = {
    open: () => {
      throw new Error("openpty(3) failed.");
    },
    resize: () => {},
  };
  expect(() => openPty(80, 24, full)).toThrow(/no terminal can be opened: openpty/);
  // The real one loads nevertheless, later.
  const pty = openPty(80, 24);
  closeSync(pty.programEnd);
  pty.output.destroy();
  // A terminal that is gone takes a size without a word.
  pty.resize(1, 1);
});
