// Which file declares what: an index over descriptors, by file name, full name and extension. Built from the files as they were
// compiled, so that map entries and the oneofs of optional fields are found as well. Knows nothing of calls.
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** An index over some files and all that they import. Of two files with one name the first counts. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** Full name of the extended message → field number → file. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #messages = new Set<string>();

  constructor(files: Iterable<DescFile>) {
    for (const file of files) for (const each of withImports(file)) this.#add(each);
  }

  /** The file of a name, as import statements have it. */
  file(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** The file that declares a full name. */
  symbol(name: string): DescFile | undefined {
    return this.#symbols.get(name);
  }

  /** The file that declares an extension. */
  extension(message: string, number: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The numbers of a message's extensions, ascending; `undefined` where there is no such message. */
  extensionNumbers(message: string): number[] | undefined {
    const numbers = this.#extensions.get(message);
    if (numbers === undefined && !this.#messages.has(message)) return undefined;
    return [...(numbers?.keys() ?? [])].sort((a, b) => a - b);
  }

  #add(file: DescFile): void {
    const { proto } = file;
    if (this.#files.has(proto.name)) return;
    this.#files.set(proto.name, file);
    const scope = proto.package === "" ? "" : `${proto.package}.`;
    for (const message of proto.messageType) this.#addMessage(message, scope, file);
    for (const each of proto.enumType) this.#addEnum(each, scope, file);
    for (const extension of proto.extension) this.#addExtension(extension, scope, file);
    for (const service of proto.service) {
      this.#symbol(scope + service.name, file);
      for (const method of service.method) this.#symbol(`${scope}${service.name}.${method.name}`, file);
    }
  }

  #addMessage(message: DescriptorProto, outer: string, file: DescFile): void {
    const name = outer + message.name;
    const scope = `${name}.`;
    this.#messages.add(name);
    this.#symbol(name, file);
    for (const field of message.field) this.#symbol(scope + field.name, file);
    for (const oneof of message.oneofDecl) this.#symbol(scope + oneof.name, file);
    for (const each of message.enumType) this.#addEnum(each, scope, file);
    for (const extension of message.extension) this.#addExtension(extension, scope, file);
    for (const nested of message.nestedType) this.#addMessage(nested, scope, file);
  }

  #addEnum(each: EnumDescriptorProto, scope: string, file: DescFile): void {
    this.#symbol(scope + each.name, file);
    // Values are declared beside their enum, not inside of it; who names them inside is understood all the same.
    for (const value of each.value) {
      this.#symbol(scope + value.name, file);
      this.#symbol(`${scope}${each.name}.${value.name}`, file);
    }
  }

  #addExtension(extension: FieldDescriptorProto, scope: string, file: DescFile): void {
    this.#symbol(scope + extension.name, file);
    // Compilers write full names, with a dot in front.
    const message = extension.extendee.replace(/^\./, "");
    const numbers = this.#extensions.get(message) ?? new Map<number, DescFile>();
    this.#extensions.set(message, numbers);
    if (!numbers.has(extension.number)) numbers.set(extension.number, file);
  }

  #symbol(name: string, file: DescFile): void {
    if (!this.#symbols.has(name)) this.#symbols.set(name, file);
  }
}

/** A file, then all that it imports, directly or not, each once; the nearer first. */
export function withImports(file: DescFile): DescFile[] {
  const found = new Set([file]);
  // A set is walked in the order of insertion, and meets what is added meanwhile.
  for (const each of found) for (const dependency of each.dependencies) found.add(dependency);
  return [...found];
}

const encoded = new WeakMap<DescFile, Uint8Array>();

/** A file as it travels: its google.protobuf.FileDescriptorProto with everything that the compiler left in it. */
export function fileBytes(file: DescFile): Uint8Array {
  let bytes = encoded.get(file);
  if (bytes === undefined) {
    bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    encoded.set(file, bytes);
  }
  return bytes;
}
