// What takes text of a stranger: metadata and addresses.
import { Code, Metadata, RpcError } from "@guestwire/rpc";
import { formatAddress, parseAddress } from "@guestwire/rpc/transport";
import { attempt, check, type FuzzTarget } from "../target.js";

const refused = (error: unknown): boolean => error instanceof RpcError && error.code === Code.InvalidArgument;
const words = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
const legal = /^[A-Za-z0-9!#$%&'*+\-./^_`|~]+$/;

export const metadata: FuzzTarget = {
  name: "metadata",
  checks: "Metadata is a list of pairs under any changes, refuses what is no key, and a copy is the same",
  seeds: words("0a\n1", "0Traceparent\nx\n0traceparent\ny\n1traceparent\nz\n2A\n3", "0__proto__\n1\n4a\n0b\r\n\u0000"),
  dictionary: words("__proto__\n", "constructor", "\ufeff", "K", "\u212a", "0a\nb\n", "1a\nb\n", "2a\n"),
  run(input) {
    const lines = Buffer.from(input)
      .toString(input.length % 2 === 0 ? "utf8" : "utf16le")
      .split("\n");
    const ours = new Metadata();
    let model: [string, string][] = [];
    for (let at = 0; at < lines.length; at += 2) {
      const line = lines[at] as string;
      const key = line.slice(1);
      const value = lines[at + 1] ?? "";
      const lower = key.toLowerCase();
      const good = legal.test(key) && value.isWellFormed();
      const change = line[0] ?? "0";
      if (change === "2") {
        const had = model.some(([name]) => name === lower);
        check(ours.delete(key) === had, () => "delete says something else");
        model = model.filter(([name]) => name !== lower);
        continue;
      }
      const result = attempt(() => (change === "1" ? ours.set(key, value) : ours.append(key, value)), refused);
      check("value" in result === good, () => `${JSON.stringify(key)} is ${good ? "refused" : "taken"}`);
      if (!good) continue;
      const first = model.findIndex(([name]) => name === lower);
      if (change === "1" && first >= 0) {
        model = model.filter(([name], i) => name !== lower || i === first);
        model[first] = [lower, value];
      } else model.push([lower, value]);
    }
    check(JSON.stringify([...ours]) === JSON.stringify(model), () => "other pairs");
    check(JSON.stringify([...new Metadata(ours)]) === JSON.stringify(model), () => "the copy differs");
    check(JSON.stringify([...Metadata.received(ours.flat)]) === JSON.stringify(model), () => "received pairs differ");
    for (const [key] of model) {
      const all = model.filter(([name]) => name === key).map(([, value]) => value);
      check(ours.get(key.toUpperCase()) === all[0] && ours.has(key), () => "get says something else");
      check(ours.getAll(key).join("\n") === all.join("\n"), () => "getAll says something else");
    }
    check(Object.keys({}).length === 0 && ({} as { x?: unknown }).x === undefined, () => "the prototype was changed");
  },
};

export const address: FuzzTarget = {
  name: "address",
  checks: "parseAddress gives an address that formats to one that parses to the same, or InvalidArgument",
  seeds: words(
    ...["unix:///run/a.sock", "unix:/a", "unix:@name", "tcp://[::1]:80", "tcp://localhost:0", "fd://3"],
    ...["vsock://3:1024", "vsock://any:1", "vsock://-1:4294967294", "hvsock:///a.sock:52", "hvsock:/a:b:1"],
  ),
  dictionary: words(
    "unix:",
    "tcp://",
    "fd://",
    "vsock://",
    "hvsock:///",
    "://",
    "@",
    ":",
    "[",
    "]",
    "4294967295",
    "\0",
    "-1",
  ),
  maxBytes: 160,
  run(input) {
    const text = Buffer.from(input).toString("utf8");
    const parsed = attempt(() => parseAddress(text), refused);
    if ("error" in parsed) return;
    const again = parseAddress(formatAddress(parsed.value));
    check(JSON.stringify(again) === JSON.stringify(parsed.value), () => `${text} becomes ${formatAddress(again)}`);
    const { value } = parsed;
    if ("path" in value)
      check(Buffer.byteLength(value.path) <= 107 && !value.path.includes("\0"), () => "a path that is none");
    if ("port" in value)
      check(Number.isInteger(value.port) && value.port >= 0 && value.port < 2 ** 32, () => "no port");
  },
};
