// Go code of the schema: messages, ttrpc and gRPC services, each by its own plugin.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { foreignFiles, freshOutput, need, outputFolder, toolFolder, versions } from "./languages.mjs";
import { buf, environment, Failure, run } from "./run.mjs";

/** The module that all go_package options of the schema stand in. */
const goModule = "github.com/guestwire/guestwire/gen/go";

/** Generates gen/go as a module of its own. */
export function go(root) {
  const tools = installPlugins();
  const out = freshOutput(root, "go");
  const opt = [`module=${goModule}`];
  const plugins = [
    { local: "protoc-gen-go", out, strategy: "all", opt },
    // Both services go into one package: ttrpc's names begin with TTRPC, as in containerd.
    { local: "protoc-gen-go-ttrpc", out, strategy: "all", opt: [...opt, "prefix=TTRPC"] },
    { local: "protoc-gen-go-grpc", out, strategy: "all", opt },
  ];
  const paths = foreignFiles(root).flatMap((file) => ["--path", `proto/${file}`]);
  const template = JSON.stringify({ version: "v2", plugins });
  buf(["generate", ".", "--template", template, ...paths], { cwd: root, env: environment(tools) });
  writeFileSync(join(out, "go.mod"), goMod);
  return "Go code written to gen/go";
}

/** Generates gen/go and compiles it. */
export function checkGo(root) {
  go(root);
  const options = { cwd: outputFolder(root, "go"), env: { ...environment(), GOFLAGS: "-mod=mod" } };
  run("go", ["mod", "tidy"], options);
  run("go", ["build", "./..."], options);
  run("go", ["vet", "./..."], options);
  return "the Go code compiles";
}

function installPlugins() {
  need("go", ["version"], "protos:go needs Go 1.25 or newer");
  const { protocGenGo, protocGenGoTtrpc, protocGenGoGrpc } = versions;
  const tools = toolFolder("go", [protocGenGo, protocGenGoTtrpc, protocGenGoGrpc].join("_"));
  const packages = {
    "protoc-gen-go": `google.golang.org/protobuf/cmd/protoc-gen-go@${protocGenGo}`,
    "protoc-gen-go-ttrpc": `github.com/containerd/ttrpc/cmd/protoc-gen-go-ttrpc@${protocGenGoTtrpc}`,
    "protoc-gen-go-grpc": `google.golang.org/grpc/cmd/protoc-gen-go-grpc@${protocGenGoGrpc}`,
  };
  for (const [name, source] of Object.entries(packages)) {
    const file = join(tools, process.platform === "win32" ? `${name}.exe` : name);
    if (existsSync(file)) continue;
    run("go", ["install", source], { env: { ...environment(), GOBIN: tools } });
    if (!existsSync(file)) throw new Failure(`"go install ${source}" left no ${file}`);
  }
  return tools;
}

const goMod = `module ${goModule}

go 1.25.0

require (
	github.com/containerd/ttrpc ${versions.protocGenGoTtrpc}
	google.golang.org/grpc ${versions.goGrpc}
	google.golang.org/protobuf ${versions.protocGenGo}
)
`;
