// Which containers a listing shows, by Docker's keys.
import type { ListContainersRequest } from "@guestwire/ross";
import { invalid, quoted } from "../../errors.js";
import type { RossContainer } from "./ross-container.js";

type Test = (container: RossContainer, value: string) => boolean;

const states: readonly string[] = ["created", "running", "paused", "stopped"];

const tests: Readonly<Record<string, Test>> = {
  id: ({ id }, value) => id.startsWith(value),
  name: ({ record }, value) => record.name.includes(value),
  status: ({ state }, value) => state === value,
  ancestor: ({ record }, value) => record.image === value || record.imageId === value,
  label: ({ record }, value) => {
    const split = value.indexOf("=");
    const key = split < 0 ? value : value.slice(0, split);
    return Object.hasOwn(record.labels, key) && (split < 0 || record.labels[key] === value.slice(split + 1));
  },
  exited: ({ record, state }, value) => state === "stopped" && String(record.exitCode) === value,
};

/**
 * The containers that a listing shows.
 *
 * @param all Newest first.
 * @throws {RpcError} Code.InvalidArgument for an unknown filter or a state that does not exist.
 */
export function filterContainers(all: readonly RossContainer[], request: ListContainersRequest): RossContainer[] {
  const { filters, limit } = request;
  for (const [key, value] of Object.entries(filters)) {
    if (!Object.hasOwn(tests, key)) {
      throw invalid(`filters[${quoted(key)}]`, `is none of ${Object.keys(tests).join(", ")}`);
    }
    if (key === "status" && !states.includes(value)) {
      throw invalid(`filters["status"]`, `${quoted(value)} is none of ${states.join(", ")}`);
    }
  }
  if (limit < 0) throw invalid("limit", "must not be negative");
  // Who asks for a state, or for the newest ones, means them in every state.
  const every = request.all || limit > 0 || "status" in filters || "exited" in filters;
  const found = all.filter((container) => {
    if (!every && container.state !== "running" && container.state !== "paused") return false;
    return Object.entries(filters).every(([key, value]) => (tests[key] as Test)(container, value));
  });
  return limit > 0 ? found.slice(0, limit) : found;
}
