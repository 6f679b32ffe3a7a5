// Serves Bundle in both shapes on one store: named files (running guests), or a spec with mounts (the seed document).
import type { Bundle as SeedBundle } from "@guestwire/bundle";
import type { Bundle } from "@guestwire/bundle/vminitd";
import { Code, type Handlers } from "@guestwire/rpc";
import { exists, failure } from "../errors.js";
import { bundleConfig } from "./bundle-spec.js";
import type { BundleStore } from "./bundle-store.js";

/** The running shape. A bundle that exists is answered as running guests do: `Unknown`, a bare system error. */
export function createBundleService(store: BundleStore): Handlers<typeof Bundle> {
  return {
    async create({ id, files }) {
      const contents = new Map(Object.entries(files));
      return {
        bundle: await store.create(id, contents, (path) => failure(Code.Unknown, `mkdir ${path}: file exists`)),
      };
    },
  };
}

/** The seed's shape. A bundle that exists is `AlreadyExists`. */
export function createSeedBundleService(store: BundleStore): Handlers<typeof SeedBundle> {
  return {
    async create({ id, spec, mounts }) {
      const contents = new Map([["config.json", bundleConfig(spec, mounts)]]);
      return { bundle: await store.create(id, contents, () => exists("bundle", id)) };
    },
  };
}
