// The commands around proto/: `node scripts/protos.mjs COMMAND [--root FOLDER]`. Taskfile.yml and package.json name them.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { breaking, lint, release } from "./protos/breaking.mjs";
import { check, generate } from "./protos/generate.mjs";
import { checkGo, go } from "./protos/go.mjs";
import { checkJava, java } from "./protos/java.mjs";
import { checkPython, python } from "./protos/python.mjs";
import { Failure, repository } from "./protos/run.mjs";

const commands = {
  generate,
  check,
  lint,
  breaking,
  release,
  go,
  "check-go": checkGo,
  python,
  "check-python": checkPython,
  java,
  "check-java": checkJava,
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { root: { type: "string" } } });
const command = commands[positionals[0] ?? ""];
if (command === undefined || positionals.length !== 1) {
  console.error(`usage: node scripts/protos.mjs ${Object.keys(commands).join("|")} [--root FOLDER]`);
  process.exit(2);
}
try {
  console.log(await command(resolve(values.root ?? repository)));
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
}
