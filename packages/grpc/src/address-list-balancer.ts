// The load balancing policy of channels on a changing list: the chosen policy, and a clear end for calls while the list is
// empty, where grpc-js' policies go on with an old address or wait. Chooses no connection itself.
import { connectivityState, experimental, type LoadBalancingConfig } from "@grpc/grpc-js";

type Config = experimental.TypedLoadBalancingConfig;
type UpdateArguments = Parameters<experimental.LoadBalancer["updateAddressList"]>;

const policy = "guestwire_address_list";
// In the words of grpc-js, so that it is understood as one of its own.
const nowhere = "No connection established. Last error: it is empty at present. Resolution note: ";

let registered = false;

/** The policies of a service config, for a list that may be empty. */
export function emptiable(policies: LoadBalancingConfig[]): LoadBalancingConfig[] {
  if (!registered) {
    registered = true;
    experimental.registerLoadBalancerType(policy, ListBalancer, ListConfig);
  }
  return [{ [policy]: { child: policies } }];
}

class ListConfig implements Config {
  readonly child: Config;

  constructor(child: Config) {
    this.child = child;
  }

  getLoadBalancerName(): string {
    return policy;
  }

  toJsonObject(): object {
    return { [policy]: { child: [this.child.toJsonObject()] } };
  }

  static createFromJson({ child }: { child: LoadBalancingConfig[] }): ListConfig {
    const chosen = experimental.selectLbConfigFromList(child, true);
    if (chosen === null) throw new Error("none of the load balancing policies is known");
    return new ListConfig(chosen);
  }
}

class ListBalancer implements experimental.LoadBalancer {
  readonly #channel: experimental.ChannelControlHelper;
  #child: experimental.ChildLoadBalancerHandler | undefined;

  constructor(channel: experimental.ChannelControlHelper) {
    this.#channel = channel;
  }

  updateAddressList(...[list, config, options, note]: UpdateArguments): boolean {
    if (config.getLoadBalancerName() !== policy) return false;
    const { child } = config as ListConfig;
    if (list.ok && list.value.length === 0) {
      this.destroy();
      const picker = new experimental.UnavailablePicker({ details: nowhere });
      this.#channel.updateState(connectivityState.TRANSIENT_FAILURE, picker, nowhere);
      return true;
    }
    // It would go on with its present connection, also to an address that left, until another is there. A new one takes
    // whichever connection is open already.
    if (child.getLoadBalancerName() === "pick_first") this.destroy();
    this.#child ??= new experimental.ChildLoadBalancerHandler(this.#channel);
    return this.#child.updateAddressList(list, child, options, note);
  }

  exitIdle(): void {
    this.#child?.exitIdle();
  }

  resetBackoff(): void {
    this.#child?.resetBackoff();
  }

  destroy(): void {
    this.#child?.destroy();
    this.#child = undefined;
  }

  getTypeName(): string {
    return policy;
  }
}
