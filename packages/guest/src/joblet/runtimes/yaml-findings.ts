// Reads values out of YAML and collects what is wrong with them, each with its path, so that all of it is told at once.

/** A mapping as the YAML library gives it, with every value a text, a list or a mapping. */
export type YamlMap = ReadonlyMap<unknown, unknown>;

/** What was found. */
export class Findings {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  readonly #most: number;

  /** @param most Entries of a list or mapping. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Something is wrong. */
  error(path: string, text: string): void {
    this.errors.push(`${path}: ${text}`);
  }

  /** Something is worth knowing. */
  warn(path: string, text: string): void {
    this.warnings.push(`${path}: ${text}`);
  }

  /** A text; empty where there is none, or none that fits. @param problem What is wrong with one. */
  text(map: YamlMap, key: string, problem: (text: string) => string | undefined, prefix = ""): string {
    const value = map.get(key);
    if (value === undefined) return "";
    const path = `${prefix}${key}`;
    if (typeof value !== "string") this.error(path, "must be a text");
    else {
      const wrong = problem(value);
      if (wrong === undefined) return value;
      this.error(path, wrong);
    }
    return "";
  }

  /** A list of texts; nothing counts as an empty one. */
  list(map: YamlMap, key: string, prefix = ""): string[] {
    const value = map.get(key) ?? [];
    const path = `${prefix}${key}`;
    if (isNothing(value)) return [];
    if (!Array.isArray(value)) {
      this.error(path, "must be a list");
      return [];
    }
    if (value.length > this.#most) {
      this.error(path, `has ${value.length} entries; at most ${this.#most} are taken`);
      return [];
    }
    return value.flatMap((item: unknown, index) => {
      if (typeof item === "string" && item !== "" && !item.includes("\0")) return [item];
      this.error(`${path}[${index}]`, "must be a text that is not empty");
      return [];
    });
  }

  /** A mapping; nothing counts as an empty one. */
  map(map: YamlMap, key: string): YamlMap {
    const value = map.get(key) ?? "";
    if (isNothing(value)) return new Map();
    if (!(value instanceof Map)) {
      this.error(key, "must be a mapping");
      return new Map();
    }
    if (value.size > this.#most) {
      this.error(key, `has ${value.size} entries; at most ${this.#most} are taken`);
      return new Map();
    }
    return value;
  }

  /** Keys that mean nothing. */
  unknownKeys(map: YamlMap, known: readonly string[], prefix = ""): void {
    for (const key of map.keys()) {
      const name = typeof key === "string" ? key : "a key that is no text";
      if (!known.includes(name)) this.warn(`${prefix}${name}`, `means nothing here; known are ${known.join(", ")}`);
    }
  }
}

function isNothing(value: unknown): boolean {
  return value === "" || value === "~" || value === "null";
}
