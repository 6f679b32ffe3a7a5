// The server's side: how its services are, and the handlers that tell it. Holds statuses and who waits for a change of them;
// looks at nothing by itself: whoever knows how a service is says so.
import { Code, type Handlers, RpcError, type ServiceRegistry } from "@guestwire/rpc";
import { Health } from "./gen/grpc/health/v1/health_pb.js";
import { type ServiceName, ServingStatus, serviceName, statusName } from "./serving-status.js";

/** How {@link createHealth} begins. */
export interface HealthOptions {
  /** The status of the server as a whole. Default `SERVING`; `UNKNOWN` or `NOT_SERVING` for a server that has to warm up. */
  readonly status?: ServingStatus;
  /**
   * How many services `List` names at most; with more it fails with `ResourceExhausted`, as its answer is one message.
   * Default 100, as other implementations have it. Check and Watch know no such bound.
   */
  readonly listLimit?: number;
}

/** The health of a server. One object serves any number of servers, so that both wires say the same. */
export interface ServerHealth {
  /**
   * Serves `grpc.health.v1.Health`, and makes every service of the registry `SERVING`, those that are registered later
   * included, until {@link ServerHealth.setStatus} says otherwise.
   *
   * @returns The registry itself, for the next call.
   * @throws {RpcError} Code.AlreadyExists when the registry has a health service.
   */
  register<R extends ServiceRegistry>(registry: R): R;
  /**
   * Says how a service is; the name need not be registered anywhere. Ignored after `shutdown`, until `resume`.
   *
   * @param service Its name or descriptor; `""` is the server as a whole, whose status follows from no other's.
   * @throws {RpcError} Code.InvalidArgument for a name with a slash, and for `SERVICE_UNKNOWN`: see `clearStatus`.
   */
  setStatus(service: ServiceName, status: ServingStatus): void;
  /** Forgets what was said of a service: it is `SERVING` where it is registered, and unknown elsewhere. */
  clearStatus(service: ServiceName): void;
  /** The status that clients see; `undefined` where the service is not known. */
  status(service: ServiceName): ServingStatus | undefined;
  /** The statuses that clients see, by full names. */
  statuses(): ReadonlyMap<string, ServingStatus>;
  /**
   * Makes everything `NOT_SERVING` and keeps it so, that clients go elsewhere while running calls come to their end.
   * Watch streams stay, as the protocol has it: `close` ends them.
   */
  shutdown(): void;
  /** Undoes `shutdown`: everything is again as it was. Not after `close`. */
  resume(): void;
  /**
   * As `shutdown`, for good; and every Watch stream ends with `Unavailable` once its client has been told. Call it before
   * `server.close({ graceMs })`, which would wait for these streams until its time is up.
   */
  close(): void;
}

/**
 * Makes the health of a server. The server as a whole is `SERVING` from the start.
 *
 * @throws {RpcError} Code.InvalidArgument when an option is wrong.
 *
 * @example
 * const health = createHealth();
 * health.register(server);
 * health.setStatus(MachineService, ServingStatus.NOT_SERVING);
 */
export function createHealth(options: HealthOptions = {}): ServerHealth {
  return new StatusTable(options);
}

class StatusTable implements ServerHealth {
  readonly #said = new Map<string, ServingStatus>();
  readonly #registries: ServiceRegistry[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #listLimit: number;
  #down = false;
  #closed = false;

  constructor({ status = ServingStatus.SERVING, listLimit = 100 }: HealthOptions) {
    if (!(typeof listLimit === "number" && listLimit >= 1)) {
      throw new RpcError(Code.InvalidArgument, `listLimit must be a number from 1 on, not ${String(listLimit)}`);
    }
    this.#listLimit = listLimit;
    this.setStatus("", status);
  }

  register<R extends ServiceRegistry>(registry: R): R {
    registry.service(Health, this.#handlers());
    this.#registries.push(registry);
    this.#changed();
    return registry;
  }

  setStatus(service: ServiceName, status: ServingStatus): void {
    const name = serviceName(service);
    if (status !== ServingStatus.UNKNOWN && status !== ServingStatus.SERVING && status !== ServingStatus.NOT_SERVING) {
      throw new RpcError(Code.InvalidArgument, `a service cannot be set to ${statusName(status)}`);
    }
    if (this.#down) return;
    this.#said.set(name, status);
    this.#changed();
  }

  clearStatus(service: ServiceName): void {
    const name = serviceName(service);
    if (this.#down) return;
    this.#said.delete(name);
    this.#changed();
  }

  status(service: ServiceName): ServingStatus | undefined {
    const name = serviceName(service);
    const status = this.#said.get(name) ?? (this.#registered(name) ? ServingStatus.SERVING : undefined);
    return status !== undefined && this.#down ? ServingStatus.NOT_SERVING : status;
  }

  statuses(): ReadonlyMap<string, ServingStatus> {
    const names = this.#registries.flatMap(({ services }) => services.map(({ typeName }) => typeName));
    const all = new Set([...this.#said.keys(), ...names]);
    return new Map([...all].map((name) => [name, this.status(name) as ServingStatus]));
  }

  shutdown(): void {
    this.#down = true;
    this.#changed();
  }

  resume(): void {
    this.#down = this.#closed;
    this.#changed();
  }

  close(): void {
    this.#closed = true;
    this.shutdown();
  }

  #registered(name: string): boolean {
    return this.#registries.some(({ services }) => services.some(({ typeName }) => typeName === name));
  }

  #handlers(): Handlers<typeof Health> {
    return {
      check: ({ service }) => {
        const status = service.includes("/") ? undefined : this.status(service);
        if (status === undefined) throw new RpcError(Code.NotFound, `unknown service ${JSON.stringify(service)}`);
        return { status };
      },
      list: () => {
        const all = this.statuses();
        if (all.size > this.#listLimit) {
          throw new RpcError(
            Code.ResourceExhausted,
            `${all.size} services are more than List gives: ${this.#listLimit}`,
          );
        }
        return { statuses: Object.fromEntries([...all].map(([name, status]) => [name, { status }])) };
      },
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    };
  }

  /** Looks again whenever the reader asks for more, so that a slow one costs no memory and gets the latest only. */
  async *#watch(service: string, signal: AbortSignal): AsyncGenerator<{ status: ServingStatus }> {
    let told: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = (service.includes("/") ? undefined : this.status(service)) ?? ServingStatus.SERVICE_UNKNOWN;
      if (status !== told) {
        told = status;
        yield { status };
      } else if (this.#closed) throw new RpcError(Code.Unavailable, "the server is shutting down");
      else await this.#change(signal);
    }
  }

  /** Waits for any change, or for the end of the call. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
