import { create } from "@bufbuild/protobuf";
import { anyPack, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { TaskExitSchema, TaskStartSchema } from "../gen/containerd/events/task_pb.js";
import { packTaskEvent, type TaskEvent, taskTopics, unpackTaskEvent } from "./task-event.js";

const exit = create(TaskExitSchema, {
  containerId: "web",
  id: "web",
  pid: 7,
  exitStatus: 143,
  exitedAt: timestampFromMs(5),
});

test("an event comes back as it was packed, under its bare name", () => {
  const packed = packTaskEvent(exit);
  expect(packed.typeUrl).toBe("containerd.events.TaskExit");
  expect(unpackTaskEvent(packed)).toEqual(exit);
});

test("names behind a prefix are understood, as other implementations write them", () => {
  expect(unpackTaskEvent(anyPack(TaskExitSchema, exit))).toEqual(exit);
});

test("what is no task event gives nothing", () => {
  expect(unpackTaskEvent(undefined)).toBeUndefined();
  expect(unpackTaskEvent({ typeUrl: "containerd.events.ImageCreate", value: new Uint8Array() })).toBeUndefined();
  expect(unpackTaskEvent({ typeUrl: "", value: new Uint8Array() })).toBeUndefined();
});

test("bytes of another type are an error", () => {
  expect(() => unpackTaskEvent({ typeUrl: "containerd.events.TaskExit", value: new Uint8Array([0x0a]) })).toThrow(
    /TaskExit/,
  );
});

test("every event has its topic", () => {
  expect(taskTopics.get(exit.$typeName)).toBe("/tasks/exit");
  expect(taskTopics.get(TaskStartSchema.typeName)).toBe("/tasks/start");
  expect(taskTopics.size).toBe(10);
});

test("a message of another kind is refused by name", () => {
  expect(() => packTaskEvent({ $typeName: "x.Y" } as unknown as TaskEvent)).toThrow("x.Y is no task event");
});
