// What a planted bug is, and how it gets into the product: by a hook that changes the text of a module while it is loaded.
// The files of the product stay as they are.
import { registerHooks } from "node:module";

/** One change of the compiled product. */
export interface Edit {
  /** The package, by its folder. */
  readonly in: "rpc" | "ttrpc";
  /** Text that is in one of its compiled files once; blanks and line ends count as one. */
  readonly find: string;
  /** What stands there instead. */
  readonly put: string;
}

/** A mistake that somebody could make. */
export interface PlantedBug {
  readonly name: string;
  /** What kind of mistake it is. */
  readonly kind: string;
  /** What is wrong, in one line. */
  readonly what: string;
  readonly edits: readonly Edit[];
  /** Why the simulator cannot find it; `undefined` where it must. */
  readonly missed?: string;
}

/** Plants a bug into what this thread loads from now on. Modules that do not have its text stay as they are. */
export function plant(bug: PlantedBug): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const edits = bug.edits.filter((edit) => url.includes(`/packages/${edit.in}/dist/`));
      if (edits.length === 0) return loaded;
      let source = String(loaded.source);
      for (const { find, put } of edits) source = source.replace(pattern(find), () => put);
      return { ...loaded, source };
    },
  });
}

/** How often a text is in a compiled file. */
export function occurrences(source: string, find: string): number {
  return source.match(new RegExp(pattern(find), "g"))?.length ?? 0;
}

function pattern(find: string): RegExp {
  return new RegExp(find.trim().split(/\s+/).map(plain).join("\\s+"));
}

/** Text as a regular expression that means itself. */
function plain(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}
