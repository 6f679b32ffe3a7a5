// The client's side: what a server serves, as descriptors that clients can be made of. Calls nothing but reflection.
import type { AnyDesc, DescService, FileRegistry } from "@bufbuild/protobuf";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Channel, type ClientOptions, Code, RpcError } from "@guestwire/rpc";
import { type Ask, Conversations } from "./conversation.js";
import { FileCollection } from "./file-collection.js";
import { find } from "./find.js";

/** Options of {@link createReflectionClient}: those of any client, and these. */
export interface ReflectionClientOptions extends ClientOptions {
  /** The host to ask about, for servers that answer for several. Default `""`. */
  readonly host?: string;
  /** How many files are taken from a server at most, as a wrong one could give them for ever. Default 10,000. */
  readonly maxFiles?: number;
}

/** What can be asked of a server. Each function makes one call; `timeoutMs` counts for all of it. */
export interface ReflectionClient {
  /** The full names of all services. */
  listServices(options?: CallOptions): Promise<string[]>;
  /**
   * The files that are needed to know a symbol: the one that declares it last, everything that it imports before.
   *
   * @param symbol A full name, as `arcbox.v1.MachineService` or `arcbox.v1.ExecOutput.data`.
   * @throws {RpcError} (as a rejection) Code.NotFound when the server knows no such symbol.
   */
  fileDescriptors(symbol: string, options?: CallOptions): Promise<FileDescriptorProto[]>;
  /** Descriptors of all services and of all that they use. A service that the server lists and cannot describe is left out. */
  registry(options?: CallOptions): Promise<FileRegistry>;
  /**
   * The descriptor of a message, enum, service, method, field, oneof, enum value or extension. What compilers make up for
   * themselves, as the entry messages of maps, has none.
   *
   * @throws {RpcError} (as a rejection) Code.NotFound when the server knows no such symbol.
   */
  describe(symbol: string, options?: CallOptions): Promise<AnyDesc>;
  /**
   * The descriptor of a service, for `createClient`.
   *
   * @throws {RpcError} (as a rejection) Code.NotFound when the server knows no such service; Code.InvalidArgument when it is
   * something else.
   */
  service(name: string, options?: CallOptions): Promise<DescService>;
}

/**
 * Makes a client of a server's reflection, by version 1 or, where the server has only that, v1alpha.
 *
 * @param channel A channel of any transport.
 * @throws {RpcError} Code.InvalidArgument when the channel is none, or an option is wrong. Every function rejects with
 * Code.Unimplemented when the server has no reflection, and with Code.Internal when its descriptors cannot be read.
 *
 * @example
 * const reflection = createReflectionClient(channel);
 * const machines = createClient(await reflection.service("arcbox.v1.MachineService"), channel);
 * const info = await machines.inspect({ id: "m1" });
 */
export function createReflectionClient(channel: Channel, options: ReflectionClientOptions = {}): ReflectionClient {
  const { host = "", maxFiles = 10_000, ...defaults } = options;
  if (!(typeof maxFiles === "number" && maxFiles >= 1)) {
    throw new RpcError(Code.InvalidArgument, `maxFiles must be a number from 1 on, not ${String(maxFiles)}`);
  }
  const conversations = new Conversations(channel, host, defaults);

  const collect = (call: CallOptions | undefined, symbol: string): Promise<FileCollection> =>
    conversations.with(call, async (ask) => {
      const files = new FileCollection(ask, maxFiles);
      await files.fetch({ case: "fileContainingSymbol", value: symbol });
      return files;
    });

  const describe = async (symbol: string, call?: CallOptions): Promise<AnyDesc> => {
    const found = find((await collect(call, symbol)).registry(), symbol);
    if (found !== undefined) return found;
    throw new RpcError(Code.NotFound, `the server's files have no descriptor of ${symbol}`, { peer: channel.target });
  };

  return {
    listServices: (call) => conversations.with(call, listed),
    fileDescriptors: async (symbol, call) => (await collect(call, symbol)).sorted(),
    registry: (call) =>
      conversations.with(call, async (ask) => {
        const files = new FileCollection(ask, maxFiles);
        for (const name of await listed(ask)) {
          if (!files.hasService(name))
            await files.fetch({ case: "fileContainingSymbol", value: name }).catch(unlessNotFound);
        }
        return files.registry();
      }),
    describe,
    async service(name, call) {
      const found = await describe(name, call);
      if (found.kind === "service") return found;
      throw new RpcError(Code.InvalidArgument, `${name} is no service: ${found.kind}`, { peer: channel.target });
    },
  };
}

async function listed(ask: Ask): Promise<string[]> {
  const answer = await ask({ case: "listServices", value: "*" });
  if (answer.case === "listServicesResponse") return answer.value.service.map(({ name }) => name);
  throw new RpcError(Code.Internal, `the server answers listServices with ${answer.case}`, { reason: "protocol" });
}

function unlessNotFound(error: unknown): void {
  if (RpcError.from(error).code !== Code.NotFound) throw error;
}
