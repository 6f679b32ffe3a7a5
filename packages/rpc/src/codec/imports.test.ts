// Loading the codec must not load protobuf-es, which costs tens of milliseconds of a process' start.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("no file of protobuf-es is loaded with the codec", () => {
  const entry = new URL("./index.ts", import.meta.url).href;
  const hook = `
    import { registerHooks } from "node:module";
    const seen = [];
    registerHooks({
      resolve(specifier, context, next) {
        seen.push(specifier);
        return next(specifier.startsWith(".") ? specifier.replace(/\\.js$/, ".ts") : specifier, context);
      },
    });
    await import(${JSON.stringify(entry)});
    console.log(JSON.stringify(seen));`;
  const output = execFileSync(
    process.execPath,
    ["--no-warnings", "--experimental-strip-types", "--input-type=module", "-e", hook],
    {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
    },
  );
  const seen: string[] = JSON.parse(output);
  expect(seen).toContain("./sink.js");
  expect(
    seen.filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:") && specifier !== entry),
  ).toEqual([]);
});
