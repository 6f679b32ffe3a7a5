// The runtimes that are installed: a folder each, put in place and taken away as a whole. Builds none.
import { mkdtemp, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { Code, RpcError } from "@guestwire/rpc";
import { exists, failure, quoted, textOf, wrongState } from "../../errors.js";
import { removeTree } from "../../files/remove-tree.js";
import { measure } from "../../files/usage.js";
import { programProblem } from "../../process/find-program.js";
import { mostRuntimes } from "../limits.js";
import type { JobletHome, JobRuntime } from "../seams.js";
import { fits, newestFirst } from "./languages.js";
import { readRuntimeName } from "./runtime-name.js";
import { type RuntimeRecord, readRecord } from "./runtime-record.js";

// Where one is while another takes its place; names of runtimes cannot begin like this.
const oldPrefix = ".old-";

/** The installed runtimes. */
export class RuntimeStore {
  readonly #home: JobletHome;
  readonly #runtimes = new Map<string, RuntimeRecord>();
  readonly #claimed = new Set<string>();

  private constructor(home: JobletHome) {
    this.#home = home;
  }

  /** @throws {RpcError} Code.FailedPrecondition when one cannot be read. */
  static async open(home: JobletHome): Promise<RuntimeStore> {
    const store = new RuntimeStore(home);
    const entries = new Set(await readdir(home.folder));
    for (const entry of entries) {
      if (!entry.startsWith(oldPrefix)) continue;
      // The guest was killed while it replaced this one.
      const name = entry.slice(oldPrefix.length);
      if (entries.has(name)) await removeTree(join(home.folder, entry));
      else await rename(join(home.folder, entry), join(home.folder, name));
      entries.add(name);
      entries.delete(entry);
    }
    for (const name of entries) {
      try {
        store.#runtimes.set(name, await readRecord(join(home.folder, name)));
      } catch (error) {
        throw failure(Code.FailedPrecondition, `runtime ${quoted(name)}: ${textOf(error)}`, error);
      }
    }
    return store;
  }

  /** In the order of their names. */
  get all(): RuntimeRecord[] {
    return [...this.#runtimes.values()].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  }

  /** The one of exactly this name. */
  get(name: string): RuntimeRecord | undefined {
    return this.#runtimes.get(name);
  }

  /** Those that are meant, the best first: the one of this name, or those of this language and version. */
  matching(text: string): RuntimeRecord[] {
    const exact = this.#runtimes.get(text);
    if (exact !== undefined) return [exact];
    const read = readRuntimeName(text);
    if (typeof read === "string") return [];
    const named = this.#runtimes.get(read.name);
    if (named !== undefined) return [named];
    if (read.language === "") return [];
    return this.all
      .filter(({ spec }) => spec.language === read.language && fits(spec.languageVersion, read.version))
      .filter(({ spec }) => read.variants.every((variant) => spec.name.split("-").includes(variant)))
      .filter(({ spec }) => read.architecture === "" || spec.architectures.includes(read.architecture))
      .sort((a, b) => newestFirst(a.spec.languageVersion, b.spec.languageVersion));
  }

  /** Where a runtime is, or will be. */
  folderOf(name: string): string {
    return join(this.#home.folder, name);
  }

  /** Whether the host still has the runtime's program. */
  isAvailable({ spec, program }: RuntimeRecord): boolean {
    return programProblem(join(this.folderOf(spec.name), program), "/") === undefined;
  }

  /** What a runtime gives to jobs. */
  forJobs({ spec, folders }: RuntimeRecord): JobRuntime {
    const folder = this.folderOf(spec.name);
    return { name: spec.name, environment: spec.environment, programs: folders.map((each) => join(folder, each)) };
  }

  /**
   * Keeps everybody else from changing a runtime.
   *
   * @returns Gives it free; does nothing the second time.
   * @throws {RpcError} Code.FailedPrecondition when somebody else changes it.
   */
  claim(name: string): () => void {
    if (this.#claimed.has(name)) throw wrongState(`runtimes/${name}`, "it is just being built, installed or removed");
    this.#claimed.add(name);
    let held = true;
    return () => {
      if (held) this.#claimed.delete(name);
      held = false;
    };
  }

  /**
   * Looks whether a runtime could be put in place.
   *
   * @param replace Whether it may take the place of another one.
   * @throws {RpcError} Code.AlreadyExists; Code.FailedPrecondition when jobs use it; Code.ResourceExhausted.
   */
  checkRoom(name: string, replace: boolean): void {
    const old = this.#runtimes.get(name);
    if (old === undefined && this.#runtimes.size >= mostRuntimes) {
      throw failure(Code.ResourceExhausted, `there are ${mostRuntimes} runtimes already`);
    }
    if (old === undefined) return;
    if (!replace) throw exists("runtime", name, `version ${old.spec.version} is installed`);
    this.#refuseUsed(name);
  }

  /**
   * Puts a claimed runtime in place.
   *
   * @param draft Its folder until now, on the same file system.
   * @throws {RpcError} as {@link RuntimeStore.checkRoom}; Code.Internal when the disk fails. What was there is there still.
   */
  async place(draft: string, record: RuntimeRecord, replace: boolean): Promise<void> {
    const { name } = record.spec;
    this.checkRoom(name, replace);
    const old = this.#runtimes.get(name);
    // No job finds it from now on; those that had found it are counted above.
    this.#runtimes.delete(name);
    const [place, aside] = [this.folderOf(name), this.folderOf(`${oldPrefix}${name}`)];
    try {
      if (old !== undefined) await rename(place, aside);
      await rename(draft, place);
    } catch (error) {
      if (old !== undefined) {
        // Fails where it was not moved.
        await rename(aside, place).catch(() => {});
        this.#runtimes.set(name, old);
      }
      throw failure(Code.Internal, `runtime ${quoted(name)}: ${textOf(error)}`, error);
    }
    this.#runtimes.set(name, record);
    // What is left of it goes with the next start.
    if (old !== undefined) await removeTree(aside).catch(() => {});
  }

  /**
   * Removes a runtime.
   *
   * @returns Bytes that became free.
   * @throws {RpcError} Code.FailedPrecondition when jobs use it or somebody changes it; Code.Internal when the disk fails.
   */
  async remove(record: RuntimeRecord): Promise<number> {
    const { name } = record.spec;
    const free = this.claim(name);
    try {
      this.#refuseUsed(name);
      this.#runtimes.delete(name);
      const aside = await mkdtemp(join(this.#home.scratch, "runtime-"));
      const away = join(aside, name);
      try {
        await rename(this.folderOf(name), away);
      } catch (error) {
        this.#runtimes.set(name, record);
        throw error;
      }
      // It is removed by now. What cannot be deleted goes with the next start, and has not become free yet.
      return await freed(aside);
    } catch (error) {
      throw RpcError.from(error, Code.Internal);
    } finally {
      free();
    }
  }

  #refuseUsed(name: string): void {
    const jobs = this.#home.usage.ofRuntime(name);
    if (jobs > 0) throw wrongState(`runtimes/${name}`, `it is in use by ${jobs} jobs`);
  }
}

async function freed(folder: string): Promise<number> {
  try {
    const { bytes } = await measure(folder, undefined);
    await removeTree(folder);
    return bytes;
  } catch {
    return 0;
  }
}
