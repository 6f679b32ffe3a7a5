// ArcBox's own frames for the guest's program: a server of those services that the frames have numbers for. Opens no socket.
import type { Server } from "@guestwire/arcbox-frames";
import type { ServiceRegistry } from "@guestwire/rpc";
import type { Guest } from "./guest.js";

/** A server on no address yet. */
export interface ArcboxServer {
  readonly server: Server;
  /** Serves what a guest has for it: the agent and the sandboxes. */
  serve(guest: Guest): void;
}

/** Makes it. */
export async function openArcbox(): Promise<ArcboxServer> {
  // Only for who asks for it.
  const { frameMethodOf, serve } = await import("@guestwire/arcbox-frames");
  const server = serve();
  const registry: ServiceRegistry = {
    services: server.services,
    service(service, handlers, options) {
      if (service.methods.some((method) => frameMethodOf(method))) server.service(service, handlers, options);
      return this;
    },
  };
  return { server, serve: (guest) => guest.register(registry) };
}
