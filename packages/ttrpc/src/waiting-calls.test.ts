// The queue of calls that are not sent yet: its order, whoever leaves it and when.
import { EchoService, propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClientCall, UnaryClientCall } from "./client-call.js";
import { prepareMethod } from "./prepared-method.js";
import { WaitingCalls } from "./waiting-calls.js";

const method = prepareMethod(EchoService.method.echo);
const calls = (count: number): ClientCall[] =>
  Array.from({ length: count }, (_, i) => {
    return new UnaryClientCall(
      method,
      `${i}`,
      {},
      () => {},
      () => {},
    );
  });

function queueOf(all: readonly ClientCall[]): WaitingCalls {
  const queue = new WaitingCalls();
  for (const call of all) queue.add(call);
  return queue;
}

const say = (queue: WaitingCalls): (string | undefined | number)[] => [
  queue.all().reduce((text, { target }) => text + target, ""),
  queue.size,
  queue.first?.target,
];

describe("WaitingCalls", () => {
  test("holds nothing at first", () => {
    expect(say(new WaitingCalls())).toEqual(["", 0, undefined]);
  });

  test.each([
    ["first", 0, "123"],
    ["second", 1, "023"],
    ["third", 2, "013"],
    ["last", 3, "012"],
  ])("keeps the others in order when the %s one leaves, also when it does so twice", (_, at, rest) => {
    const all = calls(5);
    const late = all.pop() as ClientCall;
    const queue = queueOf(all);
    const left = all[at] as ClientCall;
    for (let i = 0; i < 2; i++) {
      queue.delete(left);
      expect(say(queue)).toEqual([rest, 3, rest[0]]);
    }
    queue.add(late);
    queue.add(left);
    expect(say(queue)).toEqual([`${rest}4${at}`, 5, rest[0]]);
  });

  test("does nothing for a call that was never in it", () => {
    const all = calls(3);
    const queue = queueOf(all.slice(0, 2));
    queue.delete(all[2] as ClientCall);
    expect(say(queue)).toEqual(["01", 2, "0"]);
  });

  test("is as new once all have left, and a call that has left holds no other", () => {
    const all = calls(3);
    const queue = queueOf(all);
    for (const i of [1, 2, 0]) queue.delete(all[i] as ClientCall);
    expect(say(queue)).toEqual(["", 0, undefined]);
    expect(all.flatMap((call) => [call.waits, call.waitsBehind, call.waitsBefore])).toEqual(
      all.flatMap(() => [false, undefined, undefined]),
    );
    queue.add(all[2] as ClientCall);
    expect(say(queue)).toEqual(["2", 1, "2"]);
  });

  test("is in the order of a list that is kept beside it, whoever comes and leaves", () => {
    const steps = fc.array(fc.record({ add: fc.boolean(), at: fc.nat({ max: 5 }) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (given) => {
        const all = calls(6);
        const queue = new WaitingCalls();
        let list: ClientCall[] = [];
        for (const { add, at } of given) {
          const call = all[at] as ClientCall;
          if (!add) {
            queue.delete(call);
            list = list.filter((one) => one !== call);
          } else if (!list.includes(call)) {
            queue.add(call);
            list.push(call);
          }
          expect([queue.size, queue.first, queue.all()]).toEqual([list.length, list[0], list]);
        }
      }),
      { seed: propertySeed, numRuns: 200 },
    );
  });
});
