// The languages that runtimes are for: their programs on a host and how these tell their versions. Runs nothing.

/** A language. */
export interface Language {
  /** Programs that are the language's own, the best first. @param wanted A version; empty for any. */
  programs(wanted: string): readonly string[];
  /** What they are asked with. */
  readonly versionArgs: readonly string[];
  /** Finds the version in what they print. */
  readonly version: RegExp;
  /** Names under which the program is linked, besides its own. */
  readonly aliases: readonly string[];
  /** Programs that come with it, in the same folder of the host. */
  readonly companions: readonly string[];
}

/** All of them, by the names that specifications use. */
export const languages: Readonly<Record<string, Language>> = {
  python: {
    programs: (wanted) => {
      const [major, minor] = wanted.split(".");
      return [...(minor === undefined ? [] : [`python${major}.${minor}`]), "python3", "python"];
    },
    versionArgs: ["--version"],
    version: /Python (\d+(?:\.\d+)*)/,
    aliases: ["python3", "python"],
    companions: [],
  },
  java: {
    programs: () => ["java"],
    // The form with one "-" is the one that all versions know.
    versionArgs: ["-version"],
    version: /version "(?:1\.)?(\d+(?:\.\d+)*)/,
    aliases: [],
    companions: ["javac", "jar"],
  },
  node: {
    programs: () => ["node"],
    versionArgs: ["--version"],
    version: /v(\d+(?:\.\d+)*)/,
    aliases: [],
    companions: ["npm", "npx"],
  },
  go: {
    programs: () => ["go"],
    versionArgs: ["version"],
    version: /go(\d+(?:\.\d+)*)/,
    aliases: [],
    companions: ["gofmt"],
  },
  rust: {
    programs: () => ["rustc"],
    versionArgs: ["--version"],
    version: /rustc (\d+(?:\.\d+)*)/,
    aliases: [],
    companions: ["cargo"],
  },
};

/** The names that specifications use. */
export const languageNames: readonly string[] = Object.keys(languages);

// What clients write in the names of runtimes.
const alsoCalled: Readonly<Record<string, string>> = {
  openjdk: "java",
  jdk: "java",
  graalvmjdk: "java",
  nodejs: "node",
  golang: "go",
  python3: "python",
};

/** The language that a word means; `undefined` for none. */
export function languageOf(word: string): string | undefined {
  if (Object.hasOwn(languages, word)) return word;
  return Object.hasOwn(alsoCalled, word) ? alsoCalled[word] : undefined;
}

/** Whether a version is the wanted one, or one of those that it stands for: 3.11.4 is a 3.11. @param wanted Empty for any. */
export function fits(version: string, wanted: string): boolean {
  return wanted === "" || version === wanted || version.startsWith(`${wanted}.`);
}

/** Orders versions, the newest first. */
export function newestFirst(a: string, b: string): number {
  return b.localeCompare(a, "en", { numeric: true });
}
