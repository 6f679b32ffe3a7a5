// ttrpc's frame reader on a clock and a link that the input moves: chunks, turns, pauses, time.
import { DeadlineWheel } from "../../../../ttrpc/src/deadline-wheel.js";
import { FrameReader } from "../../../../ttrpc/src/frame-reader.js";
import { resolveLimits } from "../../../../ttrpc/src/limits.js";
import type { Link } from "../../../../ttrpc/src/link.js";
import { unhex } from "../../frames.js";
import { ManualClock } from "../manual-clock.js";
import { plainFrames } from "../plain-frames.js";
import { check, type FuzzTarget } from "../target.js";
import { sampleFrames } from "./frame.js";

const limits = resolveLimits({ framesPerTurn: 3, frameMs: 1000, messageBytes: 100 });

export const frameReader: FuzzTarget = {
  name: "frame-reader",
  checks: "FrameReader gives all frames in order in bounded turns, ends once, and leaves no timer",
  seeds: [
    ...sampleFrames.map((bytes) => Buffer.concat([unhex("0b050c800e"), bytes, unhex("809040ff")])),
    // Nine frames at once, and a turn.
    Buffer.concat([unhex("5a"), Buffer.alloc(90), unhex("8080")]),
  ],
  dictionary: [unhex("00000000000000010100")],
  run(input) {
    const clock = new ManualClock();
    const wheel = new DeadlineWheel(clock);
    const got: number[] = [];
    const given: Buffer[] = [];
    let faults = 0;
    let perTurn = 0;
    let wrong = "";
    let paused = false;
    const link: Link = {
      peer: { kind: "none", address: "none:" },
      queuedBytes: 0,
      start() {},
      write: () => true,
      writeAll() {},
      pause() {
        paused = true;
      },
      resume() {
        paused = false;
      },
      end() {},
      destroy() {},
    };
    const reader = new FrameReader(link, clock, wheel, limits, {
      frame({ id, type, flags }) {
        // Not thrown here: the reader would take it for a frame that cannot be handled.
        if (faults > 0) wrong = "a frame after the end";
        if (++perTurn > limits.framesPerTurn) wrong = `${perTurn} frames in one turn`;
        got.push(id, type, flags);
      },
      unreadable() {
        faults++;
        reader.close();
      },
    });
    // Bytes are commands: the low ones take so many of the following bytes as a chunk.
    for (let at = 0; at < input.length; ) {
      const command = input[at++] as number;
      perTurn = 0;
      if (command < 0x60) {
        const chunk = Buffer.from(input.subarray(at, at + command));
        at += command;
        // As a socket that still holds a chunk or two when it is told to pause.
        if (paused && command % 3 === 0) continue;
        given.push(chunk);
        reader.received(chunk);
      } else if (command < 0x90) clock.turn();
      else if (command < 0xa0) reader.pause();
      else if (command < 0xb0) reader.resume();
      else clock.advance((command - 0xaf) * 40);
    }
    perTurn = 0;
    reader.resume();
    for (let turns = 0; clock.turn(); turns++) {
      perTurn = 0;
      check(turns < 10_000, () => "turns without end");
    }
    perTurn = 0;
    const plain = plainFrames(Buffer.concat(given), limits.messageBytes);
    const wanted = plain.frames.flatMap(({ id, type, flags }) => [id, type, flags]);
    check(wrong === "", () => wrong);
    check(faults <= 1, () => `${faults} ends`);
    check(got.join() === wanted.slice(0, got.length).join(), () => "other frames, or in another order");
    // Time may have ended it before.
    if (faults === 0) {
      check(!plain.broken, () => "a length that is none was passed over");
      check(got.length === wanted.length, () => `${got.length / 3} frames instead of ${wanted.length / 3}`);
      check(wheel.size > 0 === plain.partial, () => `${wheel.size} watched, partial ${plain.partial}`);
    }
    clock.advance(5000);
    check(faults === 0 || !plain.partial || faults === 1, () => "ended more than once");
    check(wheel.size === 0 && clock.pending === 0, () => "a timer is left");
  },
};
