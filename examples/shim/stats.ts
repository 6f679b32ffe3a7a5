// What runc says of a container's use of resources, in the form that containerd's clients read.
import { create, toBinary } from "@bufbuild/protobuf";
import { MetricsSchema } from "@guestwire/types/cgroups";

/** The parts of runc's statistics that are used. */
export interface RuncStats {
  readonly cpu?: { readonly usage?: { readonly total?: number; readonly user?: number; readonly kernel?: number } };
  readonly memory?: { readonly usage?: { readonly usage?: number; readonly limit?: number } };
  readonly pids?: { readonly current?: number; readonly limit?: number };
}

/** Packs them, under the bare name that Go expects. */
export function packStats({ cpu, memory, pids }: RuncStats): { typeUrl: string; value: Uint8Array } {
  const { total = 0, user = 0, kernel = 0 } = cpu?.usage ?? {};
  // runc counts nanoseconds.
  const micro = (nanoseconds: number): bigint => BigInt(Math.round(nanoseconds / 1000));
  const metrics = create(MetricsSchema, {
    cpu: { usageUsec: micro(total), userUsec: micro(user), systemUsec: micro(kernel) },
    memory: { usage: BigInt(memory?.usage?.usage ?? 0), usageLimit: BigInt(memory?.usage?.limit ?? 0) },
    pids: { current: BigInt(pids?.current ?? 0), limit: BigInt(pids?.limit ?? 0) },
  });
  return { typeUrl: MetricsSchema.typeName, value: toBinary(MetricsSchema, metrics) };
}
