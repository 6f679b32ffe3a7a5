// Python code of the schema: messages with type stubs, and gRPC services, by grpcio-tools in an environment of its own.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { foreignFiles, freshOutput, need, outputFolder, toolFolder, versions } from "./languages.mjs";
import { Failure, run } from "./run.mjs";

/** Generates gen/python, to be put on PYTHONPATH. */
export function python(root) {
  const interpreter = environment();
  const out = freshOutput(root, "python");
  const outputs = ["--python_out", "--pyi_out", "--grpc_python_out"].map((option) => `${option}=${out}`);
  run(interpreter, ["-m", "grpc_tools.protoc", "-I", join(root, "proto"), ...outputs, ...foreignFiles(root)]);
  removeEmptyServices(out);
  moveIo(out);
  return "Python code written to gen/python";
}

/** Generates gen/python and imports every module of it. */
export function checkPython(root) {
  python(root);
  const out = outputFolder(root, "python");
  const modules = filesIn(out, "_pb2.py", "_pb2_grpc.py").map((file) =>
    file.slice(0, -".py".length).replaceAll("/", "."),
  );
  if (modules.length === 0) throw new Failure("gen/python has no modules");
  const program = `import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)`;
  run(environment(), ["-c", program, ...modules], { cwd: out });
  return `${modules.length} Python modules import`;
}

/** The interpreter of an environment with the tools. */
function environment() {
  const system = process.platform === "win32" ? "python" : "python3";
  const folder = toolFolder("python", `${versions.grpcioTools}_${versions.googleapisCommonProtos}`);
  const interpreter = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const done = join(folder, ".complete");
  if (existsSync(done)) return interpreter;
  need(system, ["--version"], "protos:python needs Python 3.9 or newer with venv");
  run(system, ["-m", "venv", "--clear", folder]);
  const packages = [
    `grpcio-tools==${versions.grpcioTools}`,
    `grpcio==${versions.grpcioTools}`,
    `googleapis-common-protos==${versions.googleapisCommonProtos}`,
  ];
  run(interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
  writeFileSync(done, "");
  return interpreter;
}

/** grpcio-tools writes a module for services even where a file has none. */
function removeEmptyServices(out) {
  for (const file of filesIn(out, "_pb2_grpc.py")) {
    const text = readFileSync(join(out, file), "utf8");
    if (!/^class /m.test(text)) rmSync(join(out, file));
  }
}

/** Python's own module "io" hides a package of that name, so ours is called "io_". No other file imports it. */
function moveIo(out) {
  if (!existsSync(join(out, "io"))) return;
  renameSync(join(out, "io"), join(out, "io_"));
  for (const file of filesIn(join(out, "io_"), ".py")) {
    const path = join(out, "io_", file);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("'io.containerd.", "'io_.containerd."));
  }
}

function filesIn(folder, ...endings) {
  return readdirSync(folder, { recursive: true })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .sort();
}
