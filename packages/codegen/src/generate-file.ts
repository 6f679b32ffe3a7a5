// The generated file of one proto file: per service two interfaces, two functions and a table. No logic goes into it.
import type { DescFile, DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Printable, Schema } from "@bufbuild/protoplugin";
import { docText, isDeprecated } from "./comments.js";
import { type ServiceNames, serviceNames } from "./names.js";
import type { GuestwireOptions } from "./options.js";
import { openScope, type Scope } from "./scope.js";
import { clientSignature, handlerSignature } from "./signatures.js";

/** Writes the stubs of a file's services. A file without services stays empty, and protoplugin drops it. */
export function generateRpcFile(schema: Schema<GuestwireOptions>, file: DescFile): void {
  const scope = openScope(schema, file);
  scope.f.preamble(file);
  for (const [service, names] of serviceNames(file)) {
    printInterface(scope, service, names.client, `A client of \`${service.typeName}\`.`, "readonly ", clientSignature);
    printInterface(
      scope,
      service,
      names.handler,
      `What a server of \`${service.typeName}\` does.`,
      "",
      handlerSignature,
    );
    printFactory(scope, service, names);
    printRegistration(scope, service, names);
    printMethodTable(scope, service, names);
  }
}

function printInterface(
  { f, ...rest }: Scope,
  service: DescService,
  name: string,
  heading: string,
  modifier: string,
  signature: (scope: Scope, method: DescMethod) => Printable,
): void {
  f.print(f.jsDoc(docText(service, heading)));
  f.print(f.export("interface", name), " {");
  for (const [index, method] of service.methods.entries()) {
    if (index > 0) f.print();
    f.print(f.jsDoc(docText(method), "  "));
    f.print("  ", modifier, method.localName, ": ", signature({ f, ...rest }, method), ";");
  }
  f.print("}");
  f.print();
}

function printFactory({ f, type, value, own }: Scope, service: DescService, names: ServiceNames): void {
  const text = [
    `Makes a client of \`${service.typeName}\` on a channel of any transport.`,
    "",
    "@param channel May be shared by any number of clients.",
    "@param options Defaults and interceptors of this client alone.",
  ];
  f.print(f.jsDoc(withDeprecation(text, service)));
  f.print(f.export("function", names.create), "(");
  f.print("  ", own("channel"), ": ", type("Channel"), ",");
  f.print("  ", own("options"), "?: ", type("ClientOptions"), ",");
  f.print("): ", names.client, " {");
  const call: Printable = [value("createClient"), "(", f.importSchema(service), ", channel, options)"];
  f.print("  return ", call, ";");
  f.print("}");
  f.print();
}

function printRegistration({ f, type, own }: Scope, service: DescService, names: ServiceNames): void {
  const text = [
    `Serves \`${service.typeName}\` with these handlers. A method without one answers \`Unimplemented\`.`,
    "",
    "@param registry A router, or the server of any transport.",
    "@param options Interceptors of this service alone.",
    "@returns The registry itself, for the next call.",
  ];
  f.print(f.jsDoc(withDeprecation(text, service)));
  f.print(f.export("function", names.register), "<", own("R"), " extends ", type("ServiceRegistry"), ">(");
  f.print("  ", own("registry"), ": R,");
  f.print("  ", own("handlers"), ": ", own("Partial"), "<", names.handler, ">,");
  f.print("  ", own("options"), "?: ", type("ServiceOptions"), ",");
  f.print("): R {");
  f.print("  return registry.service(", f.importSchema(service), ", handlers, options);");
  f.print("}");
  f.print();
}

function printMethodTable({ f }: Scope, service: DescService, names: ServiceNames): void {
  f.print(
    f.jsDoc(withDeprecation([`The methods of \`${service.typeName}\`: full names, kinds, idempotency.`], service)),
  );
  f.print(f.export("const", names.methods), " = {");
  for (const method of service.methods) {
    f.print("  ", method.localName, ": {");
    f.print("    name: ", f.string(method.name), ",");
    f.print("    path: ", f.string(`/${service.typeName}/${method.name}`), ",");
    f.print("    kind: ", f.string(method.methodKind), ",");
    f.print("    idempotency: ", f.string(idempotencyNames[method.idempotency]), ",");
    f.print("    deprecated: ", isDeprecated(method), ",");
    f.print("  },");
  }
  // Not "satisfies" as well: isolatedDeclarations, which this code must pass, takes only the plain assertion.
  f.print("} as const;");
  f.print();
}

/** The names that `Idempotency` of the runtime has for the schema's levels. */
const idempotencyNames: Record<MethodOptions_IdempotencyLevel, string> = {
  [MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN]: "unknown",
  [MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS]: "no_side_effects",
  [MethodOptions_IdempotencyLevel.IDEMPOTENT]: "idempotent",
};

function withDeprecation(lines: readonly string[], service: DescService): string {
  if (!isDeprecated(service)) return lines.join("\n");
  return [...lines, ...(lines.length === 1 ? [""] : []), "@deprecated"].join("\n");
}
