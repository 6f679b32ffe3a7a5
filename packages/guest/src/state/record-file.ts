// A list of records in one file: read at the start, written as a whole after every change, by one writer at a time.
import { readFile } from "node:fs/promises";
import { Code } from "@guestwire/rpc";
import { failure, isSystemError, textOf } from "../errors.js";
import { writeWhole } from "./state-folder.js";

/** The file of one kind of records. */
export class RecordFile<T> {
  readonly #path: string;
  #written: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** What is in it; nothing where there is none. @throws {RpcError} Code.FailedPrecondition when it cannot be read. */
  async read(): Promise<T[]> {
    try {
      return JSON.parse(await readFile(this.#path, "utf8")) as T[];
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return [];
      throw failure(Code.FailedPrecondition, `${this.#path}: ${textOf(error)}`, error);
    }
  }

  /**
   * Writes what `records` gives at the time of writing.
   *
   * @throws {RpcError} Code.Internal when the disk fails.
   */
  write(records: () => Iterable<T>): Promise<void> {
    const write = async (): Promise<void> => {
      try {
        await writeWhole(this.#path, JSON.stringify([...records()]));
      } catch (error) {
        throw failure(Code.Internal, `${this.#path}: ${textOf(error)}`, error);
      }
    };
    this.#written = this.#written.then(write, write);
    return this.#written;
  }
}
