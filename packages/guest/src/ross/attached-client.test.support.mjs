// A program for tests: joins a container with the terminal that it runs in, then says what its terminal is like.
import { execFileSync } from "node:child_process";
import { attachTerminal, openRoss } from "@guestwire/ross";

const [wire, address, containerId] = process.argv.slice(2);
const mode = () =>
  (/ -?icanon/.exec(execFileSync("stty", ["-a"], { stdio: ["inherit", "pipe", "inherit"] }))?.[0] ?? "").trim();

const { connect } = await import(`@guestwire/${wire}`);
const channel = connect(address);
console.log(`before ${mode()}`);
try {
  const { code } = await attachTerminal(openRoss(channel).runInteractive(containerId), process);
  console.log(`exit ${code}`);
} catch (error) {
  console.log(`failed ${error.code}`);
}
console.log(`after ${mode()}`);
process.exit();
