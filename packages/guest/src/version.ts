// The version that the guest tells its clients. Nothing else.
import { readFileSync } from "node:fs";

/** Version of the guest: that of this package. */
export const version: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
  .version as string;
