// Prints the path of a Node binary: `node test/support/node-binary.ts 22`. For .ci/run.
import { type NodeLine, nodeBinary } from "./node-versions.ts";

console.log(await nodeBinary(Number(process.argv[2]) as NodeLine));
