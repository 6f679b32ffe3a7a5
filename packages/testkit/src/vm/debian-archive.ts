// A configuration of apt beside the machine's own, in a folder that needs no root: which archive to ask, and where to keep
// what it said. The mirror is the one that the machine itself uses.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Arguments for `apt-get` and `apt-cache` that make them see one archive.
 *
 * @param release - `own` is the machine's own release.
 * @throws {Error} when the machine names no mirror of Debian.
 */
export async function debianArguments(cache: string, release: "own" | "trixie" | "sid"): Promise<string[]> {
  const { mirror, suite } = await ownArchive("/etc/apt");
  const folder = join(cache, `apt-${release}`);
  for (const name of ["lists/partial", "archives/partial"]) await mkdir(join(folder, name), { recursive: true });
  const list = join(folder, "sources.list");
  await writeFile(list, `deb [signed-by=${keyring}] ${mirror} ${release === "own" ? suite : release} main\n`);
  const options = {
    "Dir::Etc::sourcelist": list,
    "Dir::Etc::sourceparts": "-",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::Cache": folder,
    "Dir::Cache::archives": join(folder, "archives"),
    // As root, apt would download as a user who may not write here.
    "APT::Sandbox::User": "root",
  };
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** An archive: its mirror, and the release that the machine takes from it. */
export interface Archive {
  readonly mirror: string;
  readonly suite: string;
}

async function ownArchive(etc: string): Promise<Archive> {
  const parts = join(etc, "sources.list.d");
  const names = await readdir(parts).catch(() => []);
  const paths = [join(etc, "sources.list"), ...names.map((name) => join(parts, name))];
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch(() => "");
    const found = path.endsWith(".sources") ? fromStanzas(text) : path.endsWith(".list") ? fromLines(text) : undefined;
    if (found !== undefined) return found;
  }
  throw new Error(`no mirror of Debian is named in ${etc}`);
}

/** Reads the first archive of Debian itself out of a file of stanzas. */
export function fromStanzas(text: string): Archive | undefined {
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name: string): string[] =>
      new RegExp(`^${name}:(.*)$`, "im").exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
    const found = debian(field("URIs")[0], field("Suites")[0]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads the first archive of Debian itself out of a file of lines. */
export function fromLines(text: string): Archive | undefined {
  for (const line of text.split("\n")) {
    const [, mirror, suite] = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line) ?? [];
    const found = debian(mirror, suite);
    if (found !== undefined) return found;
  }
  return undefined;
}

// Archives of others, and the one of security updates, have neither a whole release nor sid.
function debian(mirror: string | undefined, suite: string | undefined): Archive | undefined {
  if (mirror === undefined || suite === undefined) return undefined;
  return /\/debian\/?$/.test(mirror) && /^[a-z]+$/.test(suite) ? { mirror, suite } : undefined;
}
