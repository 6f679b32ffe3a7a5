// The message types of the suite, made of its compiled proto files. Reads no files.
import { createFileRegistry, createRegistry, fromBinary, type Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The registry of a `FileDescriptorSet`: all its messages, enums and extensions. */
export function toRegistry(descriptorSet: Uint8Array): Registry {
  return createRegistry(...createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)).files);
}
