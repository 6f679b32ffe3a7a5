// The options that only this plugin has. Those of all plugins of protobuf-es are read before these by protoplugin.

/** The plugin's own options. */
export interface GuestwireOptions {
  /** Where generated code imports the runtime from. Default `@guestwire/rpc`. */
  readonly runtime: string;
}

/**
 * Reads the plugin's own options.
 *
 * @throws {Error} for an option that is not known, naming it and the known ones; and for an empty `runtime`.
 */
export function parseOptions(raw: readonly { readonly key: string; readonly value: string }[]): GuestwireOptions {
  let runtime = "@guestwire/rpc";
  for (const { key, value } of raw) {
    if (key !== "runtime") {
      throw new Error(
        `"${key}" is no option of protoc-gen-guestwire; it knows runtime and, as protoc-gen-es does, target, ` +
          "import_extension, map_imports, rewrite_imports, js_import_style, ts_nocheck, keep_empty_files and " +
          "elide_plugin_version",
      );
    }
    if (value === "") throw new Error('"runtime" needs a package or a path, as runtime=@guestwire/rpc');
    runtime = value;
  }
  return { runtime };
}
