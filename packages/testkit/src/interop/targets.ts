// The servers that the interoperability cases run against: ours over every transport, and grpc-go's. Opens them; runs no case.
import { writeFile } from "node:fs/promises";
import * as grpc from "@guestwire/grpc";
import { createInProcessChannel, createRouter, type Metadata } from "@guestwire/rpc";
import * as ttrpc from "@guestwire/ttrpc";
import { createTestCa } from "../certificates.js";
import { TestService } from "../gen/grpc/testing/test_pb.js";
import { startServer } from "../peer-program.js";
import { tempFolder } from "../temp-folder.js";
import type { InteropTarget } from "./cases.js";
import { interopHandlers } from "./handlers.js";

/** An open server. */
export interface OpenTarget extends InteropTarget {
  /** The server's end. */
  close(): Promise<void>;
}

/** A way from a client to a server. */
export interface TargetKind {
  readonly name: string;
  open(): Promise<OpenTarget>;
}

/** Files of a certificate for 127.0.0.1 and localhost, as programs take them. */
export interface CertificateFiles extends AsyncDisposable {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The authority's certificate itself, and the server's with its key. */
  readonly pem: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Makes a certificate and writes it to files. */
export async function certificateFiles(): Promise<CertificateFiles> {
  const folder = await tempFolder();
  const { ca, issue } = await createTestCa();
  const pem = { ca, ...(await issue({ commonName: "localhost", names: ["localhost", "127.0.0.1"] })) };
  const files = { ca: folder.file("ca.pem"), cert: folder.file("cert.pem"), key: folder.file("key.pem") };
  for (const name of ["ca", "cert", "key"] as const) await writeFile(files[name], pem[name], { mode: 0o600 });
  return { ...files, pem, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

const inProcess: TargetKind = {
  name: "in-process",
  async open() {
    const router = createRouter().service(TestService, interopHandlers());
    return { connect: () => createInProcessChannel(router), close: async () => {} };
  },
};

const ttrpcUnix: TargetKind = {
  name: "ttrpc, unix socket",
  async open() {
    const folder = await tempFolder();
    let last: Metadata | undefined;
    const handlers = interopHandlers((metadata) => {
      last = metadata;
    });
    const server = ttrpc.serve().service(TestService, handlers);
    const address = await server.listen(`unix://${folder.file("t.sock")}`);
    return {
      connect: () => ttrpc.connect(address),
      lastMetadata: () => last,
      async close() {
        await server.close({ graceMs: 0 });
        await folder[Symbol.asyncDispose]();
      },
    };
  },
};

const grpcUnix: TargetKind = {
  name: "gRPC, unix socket",
  async open() {
    const folder = await tempFolder();
    const server = grpc.serve().service(TestService, interopHandlers());
    const address = await server.listen(`unix://${folder.file("g.sock")}`);
    return {
      connect: () => grpc.connect(address),
      async close() {
        await server.close({ graceMs: 0 });
        await folder[Symbol.asyncDispose]();
      },
    };
  },
};

const grpcTls: TargetKind = {
  name: "gRPC, TCP and TLS",
  async open() {
    const files = await certificateFiles();
    const { ca, cert, key } = files.pem;
    const server = grpc.serve({ tls: { cert, key } }).service(TestService, interopHandlers());
    const address = await server.listen("tcp://127.0.0.1:0");
    return {
      connect: () => grpc.connect(address, { tls: { ca } }),
      async close() {
        await server.close({ graceMs: 0 });
        await files[Symbol.asyncDispose]();
      },
    };
  },
};

/** Both ends ours. */
export const ourTargets: readonly TargetKind[] = [inProcess, ttrpcUnix, grpcUnix, grpcTls];

/**
 * The server is grpc-go's.
 *
 * @param program The path of `grpc-interop-server`.
 */
export function grpcGoTargets(program: string): readonly TargetKind[] {
  return [
    {
      name: "grpc-go server, unix socket",
      async open() {
        const folder = await tempFolder();
        const path = folder.file("go.sock");
        const server = await startServer(program, ["-network", "unix", "-address", path]);
        return {
          connect: () => grpc.connect(`unix://${path}`),
          async close() {
            await server[Symbol.asyncDispose]();
            await folder[Symbol.asyncDispose]();
          },
        };
      },
    },
    {
      name: "grpc-go server, TCP and TLS",
      async open() {
        const files = await certificateFiles();
        const server = await startServer(program, ["-cert", files.cert, "-key", files.key]);
        return {
          connect: () => grpc.connect(`tcp://${server.address}`, { tls: { ca: files.pem.ca } }),
          async close() {
            await server[Symbol.asyncDispose]();
            await files[Symbol.asyncDispose]();
          },
        };
      },
    },
  ];
}
