// The seed of all property tests: the same runs everywhere, others where someone asks for them.

/** What fast-check starts from. `PROPERTY_SEED=123` in the environment chooses another one. */
export const propertySeed: number = Number(process.env["PROPERTY_SEED"] ?? 20_250_101);
