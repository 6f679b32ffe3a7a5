// The servers of the guest's program: ttrpc, ArcBox's frames, gRPC for this host, gRPC with TLS. Which addresses go to which; no services.
import type { Server as GrpcServer, TlsFiles } from "@guestwire/grpc";
import { jobletAuthorize, jobletMessageBytes } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import type { StreamServer } from "@guestwire/stdio/streams";
import { serve } from "@guestwire/ttrpc";
import { openArcbox } from "./arcbox-server.js";
import type { CliOptions } from "./cli-options.js";
import { defaultAddress } from "./default-address.js";
import { failure, textOf } from "./errors.js";
import type { Guest } from "./guest.js";

/** The servers, on no address yet. */
export interface GuestServers extends AsyncDisposable {
  /** Serves a guest on all of them. */
  serve(guest: Guest): void;
  /** Listens on all addresses. @returns Each address, with its wire where that is not ttrpc, once it accepts connections. */
  listen(): AsyncIterable<string>;
}

interface GrpcServers {
  /** For unix sockets, whose owner is who may connect; and for everything where there is no TLS. */
  readonly plain: GrpcServer;
  readonly secure: GrpcServer | undefined;
  readonly files: TlsFiles | undefined;
}

// A request of Joblet carries whole files; everything else keeps far below the bounds.
const limits = { receiveMessageBytes: jobletMessageBytes };

/**
 * Makes the servers that a command line asks for.
 *
 * @throws {RpcError} when the files for TLS cannot be used.
 */
export async function openServers(
  options: Pick<CliOptions, "listen" | "grpc" | "arcbox" | "streams" | "tls" | "allowPlaintext">,
): Promise<GuestServers> {
  const { listen, grpc, arcbox, streams } = options;
  const ttrpc = serve();
  const grpcServers = grpc.length > 0 ? await openGrpc(options) : undefined;
  const frames = arcbox.length > 0 ? await openArcbox() : undefined;
  const all = [ttrpc, grpcServers?.plain, grpcServers?.secure].filter((server) => server !== undefined);
  let rawStreams: StreamServer | undefined;
  return {
    serve(guest) {
      for (const server of all) guest.register(server);
      frames?.serve(guest);
      rawStreams = guest.streams;
    },
    async *listen() {
      const addresses = listen.length + grpc.length + arcbox.length > 0 ? listen : [defaultAddress()];
      for (const address of addresses) yield ttrpc.listen(address);
      for (const address of arcbox) if (frames) yield `${await frames.server.listen(address)} (ArcBox frames)`;
      for (const address of streams) if (rawStreams) yield `${await rawStreams.listen(address)} (raw streams)`;
      if (grpcServers === undefined) return;
      const { plain, secure } = grpcServers;
      for (const address of grpc) {
        if (secure === undefined || address.startsWith("unix:")) yield `${await listenPlain(plain, address)} (gRPC)`;
        else yield `${await secure.listen(address)} (gRPC, TLS)`;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...all, ...(frames ? [frames.server] : [])].map((server) => server.close()));
      grpcServers?.files?.[Symbol.dispose]();
    },
  };
}

async function listenPlain(server: GrpcServer, address: string): Promise<string> {
  try {
    return await server.listen(address);
  } catch (error) {
    // Its advice names the options of a function; whoever reads this has a command line.
    if (!textOf(error).includes("allowRemotePlaintext")) throw error;
    const advice = "give --tls-cert and --tls-key, or --allow-plaintext where others protect it";
    throw failure(Code.FailedPrecondition, `${address} would be plaintext for other hosts; ${advice}`, error);
  }
}

async function openGrpc({ tls, allowPlaintext }: Pick<CliOptions, "tls" | "allowPlaintext">): Promise<GrpcServers> {
  // Half of the time that a guest takes to start: only for who asks for it.
  const { serve: serveGrpc, watchTlsFiles } = await import("@guestwire/grpc");
  const plain = serveGrpc({ limits, allowRemotePlaintext: allowPlaintext });
  if (tls === undefined) return { plain, secure: undefined, files: undefined };
  const { cert: certFile, key: keyFile, clientCa } = tls;
  const files = await watchTlsFiles({
    certFile,
    keyFile,
    ...(clientCa !== undefined && { caFile: clientCa }),
    onReload: () => process.stderr.write("guestwire-guest: new certificates are in use\n"),
    onError: (error) => process.stderr.write(`guestwire-guest: the old certificates stay in use: ${textOf(error)}\n`),
  });
  const roles = clientCa !== undefined && { authorize: jobletAuthorize() };
  return { plain, files, secure: serveGrpc({ limits, tls: files, ...roles }) };
}
