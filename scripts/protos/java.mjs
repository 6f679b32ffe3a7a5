// Java code of the schema: messages by protoc itself, gRPC services by grpc-java's plugin, both from Maven Central.
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { foreignFiles, freshOutput, need, outputFolder, toolFolder, versions } from "./languages.mjs";
import { buf, Failure, run } from "./run.mjs";

/** Generates gen/java, a source folder. */
export function java(root) {
  const tools = fetchTools();
  const out = freshOutput(root, "java");
  const plugins = [
    { protoc_builtin: "java", protoc_path: tools.protoc, out, strategy: "all" },
    { local: tools.grpc, out, strategy: "all", opt: ["@generated=omit"] },
  ];
  const paths = foreignFiles(root).flatMap((file) => ["--path", `proto/${file}`]);
  buf(["generate", ".", "--template", JSON.stringify({ version: "v2", plugins }), ...paths], { cwd: root });
  return "Java code written to gen/java";
}

/** Generates gen/java and compiles it. */
export function checkJava(root) {
  need("javac", ["--version"], "check:protos:java needs a JDK, 11 or newer");
  java(root);
  const out = outputFolder(root, "java");
  const sources = readdirSync(out, { recursive: true }).filter((file) => file.endsWith(".java"));
  if (sources.length === 0) throw new Failure("gen/java has no sources");
  const { jars, folder } = fetchTools();
  const list = join(folder, "sources.txt");
  writeFileSync(list, sources.map((file) => `"${join(out, file).replaceAll("\\", "/")}"\n`).join(""));
  run("javac", ["-proc:none", "-nowarn", "-d", toolFolder("java", "classes"), "-cp", jars, `@${list}`]);
  return `${sources.length} Java sources compile`;
}

function fetchTools() {
  const { protocJava, grpcJava } = versions;
  const folder = toolFolder("java", `${protocJava}_${grpcJava}`);
  const classifier = osClassifier();
  const tools = {
    folder,
    protoc: join(folder, `protoc-${protocJava}-${classifier}.exe`),
    grpc: join(folder, `protoc-gen-grpc-java-${grpcJava}-${classifier}.exe`),
  };
  const done = join(folder, ".complete");
  if (!existsSync(done)) {
    need("mvn", ["--version"], "protos:java needs Maven and a JDK");
    const pom = join(folder, "pom.xml");
    writeFileSync(pom, pomXml(classifier));
    run("mvn", ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${folder}`], { cwd: folder });
    chmodSync(tools.protoc, 0o755);
    chmodSync(tools.grpc, 0o755);
    writeFileSync(done, "");
  }
  const jars = readdirSync(folder).filter((file) => file.endsWith(".jar"));
  return { ...tools, jars: jars.map((file) => join(folder, file)).join(delimiter) };
}

/** What Maven Central calls this kind of machine. */
function osClassifier() {
  const os = { linux: "linux", darwin: "osx", win32: "windows" }[process.platform];
  const cpu = { x64: "x86_64", arm64: "aarch_64" }[process.arch];
  if (os && cpu) return `${os}-${cpu}`;
  throw new Failure(`protos:java has no protoc for ${process.platform} on ${process.arch}`);
}

function pomXml(classifier) {
  const { protocJava, grpcJava } = versions;
  const dependency = (group, artifact, version, more = "") =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${more}</dependency>`;
  const program = `<type>exe</type><classifier>${classifier}</classifier>`;
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>guestwire</groupId>
  <artifactId>protos-tools</artifactId>
  <version>0</version>
  <dependencies>
    ${dependency("com.google.protobuf", "protoc", protocJava, program)}
    ${dependency("io.grpc", "protoc-gen-grpc-java", grpcJava, program)}
    ${dependency("com.google.protobuf", "protobuf-java", protocJava)}
    ${dependency("io.grpc", "grpc-stub", grpcJava)}
    ${dependency("io.grpc", "grpc-protobuf", grpcJava)}
  </dependencies>
</project>
`;
}
