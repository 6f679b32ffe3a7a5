import { expect, test } from "vitest";
import { Mailbox } from "./mailbox.js";

test("values come out in order, and then the end", async () => {
  const mailbox = new Mailbox<number>();
  const first = mailbox.next();
  mailbox.put(1);
  mailbox.put(2);
  expect(mailbox.size).toBe(1);
  mailbox.end();
  mailbox.put(3);
  expect(await first).toEqual({ done: false, value: 1 });
  expect(await mailbox.next()).toEqual({ done: false, value: 2 });
  expect(await mailbox.next()).toEqual({ done: true, value: undefined });
});

test("the end reaches a reader that waits", async () => {
  const mailbox = new Mailbox<number>();
  const waiting = mailbox.next();
  mailbox.end();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test("a failure comes after what is in, and only once", async () => {
  const mailbox = new Mailbox<number>();
  mailbox.put(1);
  mailbox.fail(new Error("broken"));
  expect(await mailbox.next()).toEqual({ done: false, value: 1 });
  await expect(mailbox.next()).rejects.toThrow("broken");
  expect((await mailbox.next()).done).toBe(true);
});

test("a failure reaches a reader that waits", async () => {
  const mailbox = new Mailbox<number>();
  const waiting = mailbox.next();
  mailbox.fail(new Error("broken"));
  await expect(waiting).rejects.toThrow("broken");
  expect((await mailbox.next()).done).toBe(true);
});

test("the owner is told of every value taken and once of the leaving", async () => {
  const told: string[] = [];
  const mailbox = new Mailbox<number>({ taken: () => told.push("taken"), left: () => told.push("left") });
  mailbox.put(1);
  await mailbox.next();
  await mailbox.return();
  await mailbox[Symbol.asyncDispose]();
  mailbox.put(2);
  expect(mailbox.size).toBe(0);
  expect(told).toEqual(["taken", "left"]);
});

test("a signal makes the reader leave, before and during the reading", async () => {
  let left = 0;
  const control = new AbortController();
  const mailbox = new Mailbox<number>({ left: () => left++ }, control.signal);
  const waiting = mailbox.next();
  control.abort();
  expect((await waiting).done).toBe(true);
  const late = new Mailbox<number>({ left: () => left++ }, control.signal);
  late.put(1);
  expect((await late.next()).done).toBe(true);
  expect(left).toBe(2);
});
