// One listener for all calls of a signal.
import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { type SignalHearer, unwatchSignal, watchSignal } from "./signal-watch.js";

function hearer(name: string, heard: string[]): SignalHearer {
  const self: SignalHearer = {
    signalFired(signal) {
      heard.push(`${name} ${signal.reason}`);
      unwatchSignal(signal, self);
    },
  };
  return self;
}

test("a signal has one listener while somebody waits for it, and tells all of them in order", () => {
  const control = new AbortController();
  const { signal } = control;
  const heard: string[] = [];
  const hearers = ["a", "b", "c", "d"].map((name) => hearer(name, heard));
  for (const each of hearers) watchSignal(signal, each);
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  unwatchSignal(signal, hearers[1] as SignalHearer);
  unwatchSignal(signal, hearers[1] as SignalHearer);
  control.abort("now");
  expect(heard).toEqual(["a now", "c now", "d now"]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("whoever leaves while others are told is not told, and the last one takes the listener along", () => {
  const control = new AbortController();
  const { signal } = control;
  const heard: string[] = [];
  const last = hearer("last", heard);
  const first: SignalHearer = {
    signalFired() {
      unwatchSignal(signal, first);
      unwatchSignal(signal, last);
    },
  };
  watchSignal(signal, first);
  watchSignal(signal, last);
  control.abort();
  expect(heard).toEqual([]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a signal is listened to again after nobody did", () => {
  const control = new AbortController();
  const { signal } = control;
  const heard: string[] = [];
  const one = hearer("one", heard);
  for (let i = 0; i < 3; i++) {
    watchSignal(signal, one);
    unwatchSignal(signal, one);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  }
  watchSignal(signal, one);
  control.abort("so");
  expect(heard).toEqual(["one so"]);
});
