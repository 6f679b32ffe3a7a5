import { expect, test } from "vitest";
import { createClock } from "../clock.js";
import { sandboxEventBacklog } from "./limits.js";
import { createSandboxEvents } from "./sandbox-events.js";

async function read(events: AsyncIterable<{ sandboxId?: string }>): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = [];
  for await (const { sandboxId } of events) ids.push(sandboxId);
  return ids;
}

test.each([-1, 0, 1])("a subscriber that is %i beyond its backlog behind keeps the newest", async (beyond) => {
  const events = createSandboxEvents(createClock());
  const reader = events.subscribe({ id: "", action: "" });
  const count = sandboxEventBacklog + beyond;
  for (let n = 0; n < count; n++) events.publish(String(n), "ready");
  events.close();
  const ids = await read(reader);
  const lost = Math.max(beyond, 0);
  expect(ids).toEqual(Array.from({ length: count - lost }, (_, n) => String(n + lost)));
});

test("a slow subscriber costs the others nothing", async () => {
  const events = createSandboxEvents(createClock());
  const slow = events.subscribe({ id: "", action: "" });
  const other = events.subscribe({ id: "last", action: "removed" });
  for (let n = 0; n < 2 * sandboxEventBacklog; n++) events.publish("many", "ready");
  events.publish("last", "ready");
  events.publish("last", "removed");
  events.close();
  expect(await read(other)).toEqual(["last"]);
  expect((await read(slow)).at(-1)).toBe("last");
});

test("who left or came too late gets nothing", async () => {
  const events = createSandboxEvents(createClock());
  const leaving = new AbortController();
  const left = events.subscribe({ id: "", action: "" }, leaving.signal);
  leaving.abort();
  events.publish("a", "created");
  const gone = events.subscribe({ id: "", action: "" }, AbortSignal.abort());
  events.publish("a", "ready");
  events.close();
  for (const reader of [left, gone, events.subscribe({ id: "", action: "" })]) expect(await read(reader)).toEqual([]);
});
