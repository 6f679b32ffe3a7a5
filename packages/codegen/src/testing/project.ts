// Test support: a project outside of the workspace with the code that buf generates from the foreign protos.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { foreignProtos, repository, tool } from "./request.js";

/** A folder with generated code, the packages it imports, and room for files of a test. */
export interface Project {
  readonly folder: string;
  /** Writes a source file. */
  write(path: string, text: string): void;
  /** Compiles it all with the workspace's own rules; gives what the compiler has to say, which is nothing when all is well. */
  compile(): string;
  /** Deletes the folder. */
  remove(): void;
}

/** Generates with both plugins, as a user would. Needs the workspace to be built. */
export function createProject(): Project {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-codegen-"));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const link = (name: string, target: string): void => {
    const path = join(folder, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(realpathSync(join(repository, target)), path);
  };
  link("@bufbuild/protobuf", "packages/codegen/node_modules/@bufbuild/protobuf");
  link("@guestwire/rpc", "packages/rpc");
  link("@types/node", "node_modules/@types/node");
  write("package.json", JSON.stringify({ type: "module" }));
  write(
    "tsconfig.json",
    JSON.stringify({
      extends: join(repository, "tsconfig.base.json"),
      compilerOptions: { rootDir: "src", outDir: "dist", noUnusedLocals: true },
      include: ["src"],
    }),
  );
  const opt = ["target=ts", "import_extension=js"];
  const plugins = [
    { local: tool("protoc-gen-es"), out: "src/gen", strategy: "all", opt: [...opt, "erasable_syntax=true"] },
    {
      local: [process.execPath, join(repository, "packages/codegen/bin/protoc-gen-guestwire.js")],
      out: "src/gen",
      strategy: "all",
      opt,
    },
  ];
  const template = JSON.stringify({ version: "v2", plugins });
  execFileSync(tool("buf"), ["generate", foreignProtos, "--template", template, "-o", folder], { stdio: "pipe" });
  return {
    folder,
    write,
    compile: () => {
      try {
        return execFileSync(tool("tsc"), ["-p", folder, "--pretty", "false"], { encoding: "utf8", stdio: "pipe" });
      } catch (error) {
        return (error as { stdout: string }).stdout;
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
