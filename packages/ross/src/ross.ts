// openRoss(): everything of a Ross daemon on one channel, with what has to be known of its habits built in.
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Channel,
  type Client,
  type ClientOptions,
  Code,
  createClient,
  RpcError,
} from "@guestwire/rpc";
import { rossErrors } from "./errors.js";
import { ContainerService } from "./gen/ross/container_pb.js";
import {
  type BuildImageProgress,
  type BuildImageRequestSchema,
  ImageService,
  type PullImageProgress,
  type PullImageRequestSchema,
  type PushImageProgress,
  type PushImageRequestSchema,
} from "./gen/ross/image_pb.js";
import { type HealthCheckResponse, Ross } from "./gen/ross/ross_pb.js";
import { SnapshotterService } from "./gen/ross/snapshotter_pb.js";
import { type Progress, raiseInBand } from "./progress.js";
import { rossRequests } from "./requests.js";
import { FollowedRun, type RossRun } from "./run.js";
import { beginSession, type RossSession, type SessionOptions } from "./session.js";

/** A Ross daemon. */
export interface RossApi {
  /**
   * The container service, errors and requests checked. In the real daemon `getLogs`, `exec`, `execStart`, `attach`, `rename`
   * and `stats` are stubs: they answer OK with invented data and do nothing.
   */
  readonly containers: Client<typeof ContainerService>;
  /**
   * The image service. In the real daemon only `listImages` and `pullImage` are real; `inspectImage` answers an empty
   * message, `pushImage`, `buildImage`, `removeImage`, `tagImage` and `searchImages` invent their answers.
   */
  readonly images: Client<typeof ImageService>;
  /** The snapshot service. In the real daemon every error is `Internal`. */
  readonly snapshots: Client<typeof SnapshotterService>;
  /** Asks the daemon whether it can work. False is an answer, not an error. */
  health(options?: CallOptions): Promise<HealthCheckResponse>;
  /**
   * Starts a created container (the call is named Wait) and follows it. It has no input. Works once per container.
   *
   * @throws {RpcError} (from the run) Code.NotFound; Code.FailedPrecondition when it was started before.
   */
  run(containerId: string, options?: CallOptions): RossRun;
  /**
   * Starts a created container with input, as a rule on a terminal.
   *
   * @throws {RpcError} Code.InvalidArgument for an empty id or an impossible size; from the session as for
   * {@link RossApi.run}, and Code.Unknown when the daemon ends it without an exit, which is how it tells the same.
   */
  runInteractive(containerId: string, options?: SessionOptions & CallOptions): RossSession;
  /** Fetches an image. @throws {RpcError} (from the progress) also when the daemon tells of the failure inside an OK stream. */
  pullImage(
    request: MessageInitShape<typeof PullImageRequestSchema>,
    options?: CallOptions,
  ): Progress<PullImageProgress>;
  /** As {@link RossApi.pullImage}, for a push; a stub in the real daemon. */
  pushImage(
    request: MessageInitShape<typeof PushImageRequestSchema>,
    options?: CallOptions,
  ): Progress<PushImageProgress>;
  /** As {@link RossApi.pullImage}, for a build; a stub in the real daemon. */
  buildImage(
    request: MessageInitShape<typeof BuildImageRequestSchema>,
    options?: CallOptions,
  ): Progress<BuildImageProgress>;
}

const waitWithoutExit = "the daemon ended the stream without telling the container's exit";

/**
 * Opens a Ross daemon on a channel of any transport; the daemon itself speaks gRPC in clear text on port 50051.
 *
 * @param options Defaults and interceptors of these clients; they run outside of the checks.
 *
 * @example
 * await using channel = connect("tcp://127.0.0.1:50051"); // of @guestwire/grpc
 * const ross = openRoss(channel);
 * await ross.pullImage({ imageName: "alpine", tag: "3" }).done();
 * const { id } = await ross.containers.createContainer({ config: { image: "alpine:3", cmd: ["uname"] } });
 * const { stdout, exit } = await ross.run(id).collect();
 */
export function openRoss(channel: Channel, options: ClientOptions = {}): RossApi {
  const all = { ...options, interceptors: [...(options.interceptors ?? []), rossErrors, rossRequests] };
  const containers = createClient(ContainerService, channel, all);
  const images = createClient(ImageService, channel, all);
  const daemon = createClient(Ross, channel, all);
  const nameOf = ({ imageName = "", tag = "" }): string => (tag === "" ? imageName : `${imageName}:${tag}`);
  return {
    containers,
    images,
    snapshots: createClient(SnapshotterService, channel, all),
    health: (own) => daemon.healthCheck({}, own),
    run(containerId, own) {
      if (containerId === "") throw new RpcError(Code.InvalidArgument, "container_id: must not be empty");
      return new FollowedRun(containers.wait({ containerId }, own), waitWithoutExit);
    },
    runInteractive(containerId, { tty, size, ...own } = {}) {
      const session = { ...(tty !== undefined && { tty }), ...(size !== undefined && { size }) };
      return beginSession(containerId, session, (inputs) => containers.runInteractive(inputs, own));
    },
    pullImage: (request, own) => raiseInBand(images.pullImage(request, own), `pulling ${nameOf(request)}`),
    pushImage: (request, own) => raiseInBand(images.pushImage(request, own), `pushing ${nameOf(request)}`),
    buildImage: (request, own) => raiseInBand(images.buildImage(request, own), "building"),
  };
}
