// The server's side: both versions of the reflection service, from the descriptors of whatever is registered. Answers questions;
// looks them up in descriptor-index.ts.
import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Code, type ServiceRegistry } from "@guestwire/rpc";
import { DescriptorIndex, fileBytes, withImports } from "./descriptor-index.js";
import type { ServerReflectionRequest } from "./gen/grpc/reflection/v1/reflection_pb.js";
import { registerServerReflection } from "./gen/grpc/reflection/v1/reflection_rpc.js";
import type { ServerReflectionRequest as AlphaRequest } from "./gen/grpc/reflection/v1alpha/reflection_pb.js";
import { registerServerReflection as registerAlpha } from "./gen/grpc/reflection/v1alpha/reflection_rpc.js";

/** What reflection shows beside the services. */
export interface ReflectionOptions {
  /**
   * More files whose messages and extensions are found: for what travels in an `Any`, as details of errors do, and for
   * extensions in files that no service imports. Default none.
   */
  readonly files?: readonly DescFile[];
}

/** Reflection over the services of one registry. */
export interface Reflection {
  /**
   * Serves `grpc.reflection.v1.ServerReflection` and its v1alpha.
   *
   * @param registry Where to serve it: the registry that is described, or another one.
   * @returns The registry itself, for the next call.
   * @throws {RpcError} Code.AlreadyExists when the registry has a reflection service.
   */
  register<R extends ServiceRegistry>(registry: R): R;
}

/**
 * Makes reflection over the services of a registry, those that are registered later included. Whoever may call it learns every
 * name of the API: an `authorize` hook or an interceptor decides who may.
 *
 * @param source A router, a transport's server, or any object with `services`.
 *
 * @example
 * createReflection(server).register(server);
 */
export function createReflection(
  source: { readonly services: readonly DescService[] },
  options: ReflectionOptions = {},
): Reflection {
  const answers = new Answers(source, options.files ?? []);
  return {
    register(registry) {
      registerServerReflection(registry, { serverReflectionInfo: (requests) => answers.conversation(requests) });
      registerAlpha(registry, { serverReflectionInfo: (requests) => answers.conversation(requests) });
      return registry;
    },
  };
}

/**
 * Serves reflection over a registry in this registry: `createReflection(registry, options).register(registry)`.
 *
 * @returns The registry itself, for the next call.
 * @throws {RpcError} Code.AlreadyExists when the registry has a reflection service.
 */
export function addReflection<R extends ServiceRegistry>(registry: R, options?: ReflectionOptions): R {
  return createReflection(registry, options).register(registry);
}

/** An answer, in a form that both versions' messages can be made of. */
type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

class Answers {
  readonly #source: { readonly services: readonly DescService[] };
  readonly #files: readonly DescFile[];
  #indexed: readonly DescService[] = [];
  #index: DescriptorIndex | undefined;

  constructor(source: { readonly services: readonly DescService[] }, files: readonly DescFile[]) {
    this.#source = source;
    this.#files = files;
  }

  /** One stream. Both versions have the same messages under different names. */
  async *conversation<R extends ServerReflectionRequest | AlphaRequest>(
    requests: AsyncIterable<R>,
  ): AsyncGenerator<{ validHost: string; originalRequest: R; messageResponse: Answer }> {
    const sent = new Set<DescFile>();
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: this.#answer(request, sent) };
    }
  }

  #answer(
    { messageRequest: { case: kind, value } }: ServerReflectionRequest | AlphaRequest,
    sent: Set<DescFile>,
  ): Answer {
    const index = this.#current();
    switch (kind) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: this.#names().map((name) => ({ name })) } };
      case "fileByFilename":
        return files(index.file(value), sent, `file ${JSON.stringify(value)}`);
      case "fileContainingSymbol":
        return files(index.symbol(value), sent, `symbol ${JSON.stringify(value)}`);
      case "fileContainingExtension": {
        const { containingType: type, extensionNumber: number } = value;
        return files(index.extension(type, number), sent, `extension ${number} of ${JSON.stringify(type)}`);
      }
      case "allExtensionNumbersOfType": {
        const extensionNumber = index.extensionNumbers(value);
        if (extensionNumber === undefined) return failure(Code.NotFound, `unknown message ${JSON.stringify(value)}`);
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: value, extensionNumber } };
      }
      default:
        return failure(Code.InvalidArgument, "the request asks for nothing that this server knows");
    }
  }

  #names(): string[] {
    return [...new Set(this.#source.services.map(({ typeName }) => typeName))].sort();
  }

  /** The index over what is registered now. */
  #current(): DescriptorIndex {
    const { services } = this.#source;
    const fresh = services.length === this.#indexed.length && services.every((each, i) => each === this.#indexed[i]);
    if (this.#index === undefined || !fresh) {
      this.#indexed = [...services];
      this.#index = new DescriptorIndex([...services.map(({ file }) => file), ...this.#files]);
    }
    return this.#index;
  }
}

/** A file with its imports; those that this stream has sent already are left out, but never the file asked for. */
function files(file: DescFile | undefined, sent: Set<DescFile>, what: string): Answer {
  if (file === undefined) return failure(Code.NotFound, `unknown ${what}`);
  const due = withImports(file).filter((each) => each === file || !sent.has(each));
  for (const each of due) sent.add(each);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: due.map(fileBytes) } };
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
