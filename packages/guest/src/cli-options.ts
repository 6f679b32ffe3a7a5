// The command line of guestwire-guest: what can be asked for, and how it is explained. Does nothing.
import { parseArgs } from "node:util";
import { addressForms } from "@guestwire/ttrpc";
import { textOf } from "./errors.js";

/** What the command line asks for. */
export interface CliOptions {
  /** Addresses to serve ttrpc on; where neither these nor `grpc` nor `arcbox` are given, the default one. */
  readonly listen: readonly string[];
  /** Addresses to serve gRPC on. */
  readonly grpc: readonly string[];
  /** Addresses to serve the agent and sandboxes on in ArcBox's own frames. */
  readonly arcbox: readonly string[];
  /** Addresses to take raw streams on, which tasks name as `stream://N`. */
  readonly streams: readonly string[];
  /** Whether gRPC may be served without TLS beyond this host. */
  readonly allowPlaintext: boolean;
  /** Files with the certificate, its key and the authority of clients for gRPC on tcp; all or the first two. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | undefined } | undefined;
  /** OCI image layout folders that Ross pulls from. */
  readonly imageLayouts: readonly string[];
  readonly stateDir: string | undefined;
  readonly manageHardware: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** What `--help` prints. */
export const helpText: string = `Usage: guestwire-guest [options]

Serves a guest on this host over ttrpc and gRPC: bundles, tasks and their standard streams, events, system facts, the
ArcBox agent, machines and sandboxes, Ross, Joblet, health and reflection. Needs no root. Ends on SIGTERM and SIGINT with
everything that it started.

Options:
  --listen ADDRESS    Serve ttrpc there; may be given several times. Forms: ${addressForms}
                      Default, unless --grpc or --arcbox is given: guestwire/guest.sock in $XDG_RUNTIME_DIR, or in a
                      private folder of the temporary one.
  --grpc ADDRESS      Serve gRPC there; may be given several times. Forms as of --listen. The TLS options are for all
                      but unix sockets.
  --arcbox ADDRESS    Serve the ArcBox agent and sandboxes there in ArcBox's own frames, as its hosts speak them; may be
                      given several times. Forms as of --listen; vsock://any is vsock://any:1024.
  --streams ADDRESS   Take raw streams there, which tasks name as stream://N for their standard streams; may be given
                      several times. Forms as of --listen.
  --tls-cert FILE     Certificate chain (PEM) for gRPC; with --tls-key. Files that change are read again.
  --tls-key FILE      Its private key (PEM).
  --tls-client-ca FILE  Demand client certificates signed by this authority (PEM). Joblet's roles then hold:
                      the certificate's OU must be admin or viewer.
  --allow-plaintext   Let --grpc listen without TLS on addresses that other hosts reach.
  --image-layout DIR  Let Ross pull images from this OCI image layout; may be given several times.
  --state-dir DIR     Keep bundles, machines and sandboxes there. Default: $XDG_STATE_HOME/guestwire/guest, or the same in
                      ~/.local/state.
  --manage-hardware   Let clients take CPUs and memory of this host in and out of use. Needs root.
  --help              Print this text.
  --version           Print the version.

Prints "listening on ADDRESS" for every address once it accepts connections.
`;

/**
 * Reads the command line.
 *
 * @throws {Error} whose message says what is wrong with it.
 */
export function readCommandLine(args: readonly string[]): CliOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        listen: { type: "string", multiple: true, default: [] },
        grpc: { type: "string", multiple: true, default: [] },
        arcbox: { type: "string", multiple: true, default: [] },
        streams: { type: "string", multiple: true, default: [] },
        "allow-plaintext": { type: "boolean", default: false },
        "tls-cert": { type: "string" },
        "tls-key": { type: "string" },
        "tls-client-ca": { type: "string" },
        "image-layout": { type: "string", multiple: true, default: [] },
        "state-dir": { type: "string" },
        "manage-hardware": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        version: { type: "boolean", default: false },
      },
    });
    const { listen, grpc, arcbox, streams, help, version } = values;
    return {
      listen,
      grpc,
      arcbox,
      streams,
      help,
      version,
      allowPlaintext: values["allow-plaintext"],
      tls: readTls(values["tls-cert"], values["tls-key"], values["tls-client-ca"]),
      imageLayouts: values["image-layout"],
      stateDir: values["state-dir"],
      manageHardware: values["manage-hardware"],
    };
  } catch (error) {
    // Node's messages end with advice on positional arguments, of which there are none here.
    throw new Error(`${textOf(error).split(/\. To specify/)[0]}; see --help`);
  }
}

function readTls(cert?: string, key?: string, clientCa?: string): CliOptions["tls"] {
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa };
  if (cert !== undefined) throw new Error("--tls-cert needs --tls-key");
  if (key !== undefined) throw new Error("--tls-key needs --tls-cert");
  if (clientCa !== undefined) throw new Error("--tls-client-ca needs --tls-cert and --tls-key");
  return undefined;
}
