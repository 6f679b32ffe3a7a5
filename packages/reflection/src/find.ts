// A descriptor by its full name, of any kind. Registries know types and services only. No calls here.
import type { AnyDesc, DescMessage, FileRegistry } from "@bufbuild/protobuf";

/**
 * Finds what a full name stands for.
 *
 * @returns `undefined` where the registry has no such thing.
 */
export function find(registry: FileRegistry, name: string): AnyDesc | undefined {
  const type = registry.get(name);
  if (type !== undefined) return type;
  const dot = name.lastIndexOf(".");
  const scope = name.slice(0, Math.max(dot, 0));
  const last = name.slice(dot + 1);
  const parent = registry.get(scope);
  switch (parent?.kind) {
    case "service":
      return parent.methods.find((method) => method.name === last);
    case "message":
      return member(parent, last) ?? enumValue(parent.nestedEnums, last);
    case "enum":
      return enumValue([parent], last);
    default:
      for (const file of registry.files) {
        const found = file.proto.package === scope ? enumValue(file.enums, last) : undefined;
        if (found !== undefined) return found;
      }
      return undefined;
  }
}

function member(message: DescMessage, name: string): AnyDesc | undefined {
  return message.fields.find((field) => field.name === name) ?? message.oneofs.find((oneof) => oneof.name === name);
}

/** Values are declared beside their enum, so a scope may have several enums to look into. */
function enumValue(enums: readonly { readonly values: readonly (AnyDesc & { kind: "enum_value" })[] }[], name: string) {
  return enums.flatMap(({ values }) => values).find((value) => value.name === name);
}
