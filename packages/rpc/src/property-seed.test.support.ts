// Import it for its effect: property tests run alike everywhere. `PROPERTY_SEED=123` in the environment chooses other runs.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["PROPERTY_SEED"] ?? 20_250_101), numRuns: 1000 });
