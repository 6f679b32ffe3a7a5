// Builds protobuf-es descriptors from parts written in tests. Tests nothing itself.
import { create, createFileRegistry, type DescFile, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Edition,
  type FeatureSetSchema,
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";

const imports: readonly DescFile[] = [
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];
/** Makes the descriptor of a file from its parts. */
export function makeFile(parts: MessageInitShape<typeof FileDescriptorProtoSchema>): DescFile {
  const proto = create(FileDescriptorProtoSchema, { name: "t.proto", package: "t", ...parts } as never);
  proto.dependency = imports.map((file) => file.proto.name);
  const registry = createFileRegistry(proto, (name) => imports.find((file) => file.proto.name === name));
  return registry.getFile("t.proto") as DescFile;
}

/** One message for {@link makeMessages}. */
export interface MessageParts {
  /** Named f1, f2, …, numbered from 1, and not repeated, unless they say otherwise. */
  readonly fields: readonly MessageInitShape<typeof FieldDescriptorProtoSchema>[];
  readonly oneofs?: readonly string[];
  readonly nestedType?: readonly object[];
}

/** The messages of a file of package `t`, by name; `.t.E` is an enum of 0 and 1. */
export function makeMessages(
  syntax: "proto2" | "proto3" | "editions",
  messages: Record<string, MessageParts>,
  features?: MessageInitShape<typeof FeatureSetSchema>,
): (name: string) => DescMessage {
  const messageType = Object.entries(messages).map(([name, { fields, oneofs = [], nestedType = [] }]) => ({
    name,
    field: fields.map((field, i) => ({ name: `f${i + 1}`, number: i + 1, label: 1, ...field })),
    oneofDecl: oneofs.map((oneof) => ({ name: oneof })),
    nestedType: [...nestedType],
  }));
  const value = ["ZERO", "ONE"].map((name, number) => ({ name, number }));
  const file = makeFile({
    syntax,
    messageType: messageType as never,
    enumType: [{ name: "E", value }],
    ...(syntax === "editions" ? { edition: Edition.EDITION_2023 } : {}),
    ...(features === undefined ? {} : { options: { features } }),
  });
  return (name) => file.messages.find((message) => message.name === name) as DescMessage;
}
