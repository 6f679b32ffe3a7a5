// A made-up schema with everything that reflection has to find: proto2 extensions, nested types, map entries, oneofs of optional
// fields, enum values, a public import, and a file that no service imports.
import { create, createFileRegistry, type DescFile, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Edition,
  type FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

type FileInit = MessageInitShape<typeof FileDescriptorProtoSchema>;

const base: FileInit = {
  name: "zoo/base.proto",
  package: "zoo",
  syntax: "proto2",
  messageType: [{ name: "Base", extensionRange: [{ start: 100, end: 200 }] }],
};

const middle: FileInit = {
  name: "zoo/middle.proto",
  package: "zoo",
  syntax: "proto2",
  dependency: ["zoo/base.proto"],
  publicDependency: [0],
  enumType: [{ name: "Color", value: [{ name: "RED", number: 0 }] }],
};

const service: FileInit = {
  name: "zoo/zoo.proto",
  package: "zoo",
  syntax: "proto3",
  dependency: ["zoo/middle.proto"],
  messageType: [
    {
      name: "Animal",
      field: [
        { name: "name", number: 1, type: Type.STRING, label: Label.OPTIONAL, oneofIndex: 0, proto3Optional: true },
        { name: "legs", number: 2, type: Type.MESSAGE, typeName: ".zoo.Animal.LegsEntry", label: Label.REPEATED },
      ],
      oneofDecl: [{ name: "_name" }],
      nestedType: [
        {
          name: "LegsEntry",
          options: { mapEntry: true },
          field: [
            { name: "key", number: 1, type: Type.STRING, label: Label.OPTIONAL },
            { name: "value", number: 2, type: Type.INT32, label: Label.OPTIONAL },
          ],
        },
      ],
      enumType: [{ name: "Kind", value: [{ name: "CAT", number: 0 }] }],
    },
  ],
  service: [{ name: "Zoo", method: [{ name: "Feed", inputType: ".zoo.Animal", outputType: ".zoo.Base" }] }],
};

const extra: FileInit = {
  name: "extra.proto",
  syntax: "proto2",
  dependency: ["zoo/middle.proto"],
  extension: [
    { name: "weight", number: 150, type: Type.INT32, label: Label.OPTIONAL, extendee: ".zoo.Base" },
    { name: "age", number: 101, type: Type.INT32, label: Label.OPTIONAL, extendee: ".zoo.Base" },
  ],
  messageType: [
    {
      name: "Loose",
      extension: [{ name: "inner", number: 120, type: Type.INT32, label: Label.OPTIONAL, extendee: ".zoo.Base" }],
    },
  ],
};

const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [base, middle, service, extra].map((file) => ({ edition: Edition.EDITION_UNKNOWN, ...file })),
  }),
);

/** The service, in zoo/zoo.proto, which imports zoo/middle.proto, which imports zoo/base.proto. */
export const Zoo: DescService = registry.getService("zoo.Zoo") as DescService;

/** The file extra.proto with extensions of zoo.Base. */
export const extraFile: DescFile = registry.getFile("extra.proto") as DescFile;

/** Full names and the files that declare them. */
export const symbols: readonly (readonly [symbol: string, file: string])[] = [
  ["zoo.Zoo", "zoo/zoo.proto"],
  ["zoo.Zoo.Feed", "zoo/zoo.proto"],
  ["zoo.Animal", "zoo/zoo.proto"],
  ["zoo.Animal.name", "zoo/zoo.proto"],
  ["zoo.Animal._name", "zoo/zoo.proto"],
  ["zoo.Animal.LegsEntry", "zoo/zoo.proto"],
  ["zoo.Animal.LegsEntry.value", "zoo/zoo.proto"],
  ["zoo.Animal.Kind", "zoo/zoo.proto"],
  ["zoo.Animal.CAT", "zoo/zoo.proto"],
  ["zoo.Animal.Kind.CAT", "zoo/zoo.proto"],
  ["zoo.Color", "zoo/middle.proto"],
  ["zoo.RED", "zoo/middle.proto"],
  ["zoo.Base", "zoo/base.proto"],
  ["Loose", "extra.proto"],
  ["Loose.inner", "extra.proto"],
  ["weight", "extra.proto"],
];
