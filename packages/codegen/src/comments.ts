// Turns the comments of a proto file into the text of TSDoc blocks. Does no printing: protoplugin closes the block safely.
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { parentTypes } from "@bufbuild/protobuf/reflect";
import { getComments } from "@bufbuild/protoplugin";

/**
 * The documentation of an export that stands for a service or a method.
 *
 * @param desc Whose comment to take. Comments that stand apart from it (detached ones) are not about it and left out.
 * @param heading What the export is; the comment follows as a paragraph of its own. Default none.
 */
export function docText(desc: DescService | DescMethod, heading?: string): string {
  const { leading, trailing } = getComments(desc);
  const paragraphs = [heading, plainText(leading), plainText(trailing)].filter(
    (text) => text !== undefined && text !== "",
  );
  const tags = [`@generated from ${desc.toString()}`];
  if (isDeprecated(desc)) tags.push("@deprecated");
  return [...paragraphs, tags.join("\n")].join("\n\n");
}

/** Whether the schema advises against a service or a method, be it by its own option or by its file's. */
export function isDeprecated(desc: DescService | DescMethod): boolean {
  return desc.deprecated || (desc.kind === "service" && parentTypes(desc).some((parent) => parent.deprecated));
}

/** Comment text without the blank after each `//`, in which an `@` at the start of a line is no TSDoc tag. */
function plainText(comment: string | undefined): string | undefined {
  return comment
    ?.split("\n")
    .map((line) =>
      line
        .replace(/^ /, "")
        .trimEnd()
        .replace(/^\s*@/, (start) => `${start.slice(0, -1)}\\@`),
    )
    .join("\n")
    .replace(/^\n+|\n+$/g, "");
}
