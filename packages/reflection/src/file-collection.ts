// Files that a server gave, until they are complete: asks for what is imported and missing, and brings them into the order
// in which they can be read. Trusts nothing that the server says of itself.
import { create, createFileRegistry, type DescFile, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import * as wellKnown from "@bufbuild/protobuf/wkt";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, RpcError } from "@guestwire/rpc";
import type { Ask, Question } from "./conversation.js";

/** The files of one conversation. */
export class FileCollection {
  readonly #ask: Ask;
  readonly #maxFiles: number;
  readonly #files = new Map<string, FileDescriptorProto>();

  constructor(ask: Ask, maxFiles: number) {
    this.#ask = ask;
    this.#maxFiles = maxFiles;
  }

  /**
   * Asks for a file, and then for all its imports that did not come with it.
   *
   * @throws {RpcError} what the server answers; Code.Internal when it is no answer to that question, or cannot be read.
   */
  async fetch(question: Question): Promise<void> {
    await this.#get(question);
    for (let missing = this.#missing(); missing.length > 0; missing = this.#missing()) {
      for (const name of missing) if (!this.#files.has(name)) await this.#import(name);
    }
  }

  /**
   * All files, imports before those that import them.
   *
   * @throws {RpcError} Code.Internal when files import each other in a circle.
   */
  sorted(): FileDescriptorProto[] {
    const done = new Set<FileDescriptorProto>();
    // Not by recursion: a server may give a chain of imports as long as it likes.
    const path = new Map<FileDescriptorProto, Iterator<string>>();
    for (const root of this.#files.values()) {
      const stack = [root];
      for (let file = stack.at(-1); file !== undefined; file = stack.at(-1)) {
        const imports = path.get(file) ?? file.dependency.values();
        path.set(file, imports);
        const { value: name } = imports.next();
        const next = name === undefined ? undefined : this.#files.get(name);
        if (next === undefined || done.has(file)) {
          done.add(file);
          path.delete(file);
          stack.pop();
        } else if (path.has(next)) throw unreadable(`${JSON.stringify(next.name)} imports itself`);
        else if (!done.has(next)) stack.push(next);
      }
    }
    return [...done];
  }

  /**
   * Descriptors of all files.
   *
   * @throws {RpcError} Code.Internal when the files do not fit together.
   */
  registry(): FileRegistry {
    const file = this.sorted();
    try {
      return createFileRegistry(create(FileDescriptorSetSchema, { file }));
    } catch (error) {
      throw unreadable(error instanceof Error ? error.message : String(error));
    }
  }

  /** Whether a file declares this service already. */
  hasService(name: string): boolean {
    for (const file of this.#files.values()) {
      const scope = file.package === "" ? "" : `${file.package}.`;
      if (file.service.some((service) => scope + service.name === name)) return true;
    }
    return false;
  }

  #missing(): string[] {
    const wanted = new Set([...this.#files.values()].flatMap((file) => file.dependency));
    return [...wanted].filter((name) => !this.#files.has(name));
  }

  async #import(name: string): Promise<void> {
    try {
      await this.#get({ case: "fileByFilename", value: name });
    } catch (error) {
      const own = wellKnownFiles().get(name);
      if (own === undefined || RpcError.from(error).code !== Code.NotFound) throw error;
      // Some servers take it for granted that everybody has Google's own files.
      this.#files.set(name, own.proto);
    }
    if (!this.#files.has(name)) throw unreadable(`asked for the file ${JSON.stringify(name)}, it gave others`);
  }

  async #get(question: Question): Promise<void> {
    const answer = await this.#ask(question);
    if (answer.case !== "fileDescriptorResponse") throw unreadable(`it answers ${question.case} with ${answer.case}`);
    for (const bytes of answer.value.fileDescriptorProto) {
      const file = parsed(bytes);
      if (this.#files.has(file.name)) continue;
      if (this.#files.size >= this.#maxFiles) {
        throw new RpcError(Code.ResourceExhausted, `the server's descriptors are more than ${this.#maxFiles} files`);
      }
      this.#files.set(file.name, file);
    }
  }
}

function parsed(bytes: Uint8Array): FileDescriptorProto {
  try {
    return fromBinary(FileDescriptorProtoSchema, bytes);
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : String(error));
  }
}

function unreadable(why: string): RpcError {
  return new RpcError(Code.Internal, `the server's descriptors cannot be read: ${why}`, { reason: "protocol" });
}

let ownFiles: ReadonlyMap<string, DescFile> | undefined;

/** Google's own files, by name. */
function wellKnownFiles(): ReadonlyMap<string, DescFile> {
  ownFiles ??= new Map(
    Object.values(wellKnown)
      .filter((each) => typeof each === "object" && "kind" in each && each.kind === "file")
      .map((file) => [(file as DescFile).proto.name, file as DescFile]),
  );
  return ownFiles;
}
