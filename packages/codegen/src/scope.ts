// Where generated names come from: the runtime, protobuf-es, or the language itself. Keeps them from meeting each other.
import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile, ImportSymbol, Printable, Schema } from "@bufbuild/protoplugin";
import type { GuestwireOptions } from "./options.js";

/** One generated file, with what the parts of the generator need to print into it. */
export interface Scope {
  /** The file that is printed into. */
  readonly f: GeneratedFile;
  /** A type of the runtime. */
  type(name: string): ImportSymbol;
  /** A value of the runtime. */
  value(name: string): ImportSymbol;
  /** A name that is not imported: a global or a parameter. An import of the same name gives way and gets an alias. */
  own(name: string): ImportSymbol;
  /** What a caller may pass for a message. */
  init(message: DescMessage): Printable;
}

/** Opens the generated file of a proto file. */
export function openScope(schema: Schema<GuestwireOptions>, file: DescFile): Scope {
  const name = `${file.name}_rpc`;
  const f = schema.generateFile(`${name}.ts`);
  const { runtime } = schema.options;
  return {
    f,
    type: (symbol) => f.import(symbol, runtime, true),
    value: (symbol) => f.import(symbol, runtime),
    // protoplugin imports nothing from a file into itself, but keeps the name free of imports.
    own: (symbol) => f.import(symbol, `./${name}.js`, true),
    init: (message) => [
      f.import("MessageInitShape", "@bufbuild/protobuf", true),
      "<typeof ",
      f.importSchema(message, true),
      ">",
    ],
  };
}
