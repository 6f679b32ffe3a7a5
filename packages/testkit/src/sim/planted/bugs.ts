// The planted bugs: mistakes of different kinds, as somebody could make them, for the simulator to find. Each is a change of
// compiled text, wherever in its package it stands; `planted.test.ts` sees to it that the text is still there.
import type { PlantedBug } from "./bug.js";

/** All planted bugs. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "id-used-by-refused-request",
    kind: "off by one in ids",
    what: "a request that is too large to be sent uses an id up",
    edits: [
      {
        in: "ttrpc",
        find: 'return this.#tooLarge(call, "request");',
        put: '{ this.#nextId = id + 2; return this.#tooLarge(call, "request"); }',
      },
    ],
  },
  {
    name: "one-id-too-many",
    kind: "off by one in ids",
    what: "after the last id one more is taken, which does not fit its four bytes",
    edits: [
      {
        in: "ttrpc",
        find: "return this.#closed || this.#draining || this.#nextId > lastId;",
        put: "return this.#closed || this.#draining || this.#nextId > lastId + 2;",
      },
    ],
  },
  {
    name: "silent-room",
    kind: "lost wake-up",
    what: "those who wait for room are not told when the link took everything at once",
    edits: [{ in: "ttrpc", find: "this.drained();\n        this.#room();", put: "" }],
  },
  {
    name: "silent-drain",
    kind: "lost wake-up",
    what: "calls that wait for the connection are not sent when it has room again",
    edits: [
      {
        in: "ttrpc",
        find: "this.#output.drained();\n        if (!this.#closed)\n            this.#handler.ready();",
        put: "this.#output.drained();",
      },
    ],
  },
  {
    name: "never-resumed",
    kind: "lost wake-up",
    what: "a connection that was stopped for a slow reader is not read again when the reader has read",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#paused && this.#full === 0)\n            this.#resume();",
        put: "",
      },
    ],
  },
  {
    name: "second-answer",
    kind: "double settle",
    what: "the server answers a call again that it has answered",
    edits: [
      {
        in: "ttrpc",
        find: "#answerError(call, error) {\n        if (call.answered)\n            return;",
        put: "#answerError(call, error) {",
      },
    ],
  },
  {
    name: "sent-twice",
    kind: "hidden retry",
    what: "unary calls without a deadline are sent again when their connection was lost",
    edits: [
      {
        in: "ttrpc",
        find: "for (const call of this.#calls)\n            call.fail(code, message, reason, error);",
        put: `for (const call of this.#calls) {
            if (error !== undefined && call instanceof UnaryClientCall && call.deadlineAt === Infinity) {
                this.#calls.remove(call);
                this.#handler.again(call);
            } else call.fail(code, message, reason, error);
        }`,
      },
      {
        in: "ttrpc",
        find: "ready: () => this.#advance(),",
        put: "ready: () => this.#advance(), again: (call) => { call.home = this; this.#waiting.add(call); },",
      },
    ],
  },
  {
    name: "listener-stays",
    kind: "missed cleanup",
    what: "a call that has ended keeps listening to its signal",
    edits: [{ in: "ttrpc", find: "unwatchSignal(this.#signal, this);", put: ";" }],
  },
  {
    name: "deadline-stays",
    kind: "missed cleanup",
    what: "a call that has ended stays in the wheel until its deadline",
    edits: [
      {
        in: "ttrpc",
        find: "this.#wheel.remove(this); if (this.#signal !== undefined)",
        put: "; if (this.#signal !== undefined)",
      },
    ],
  },
  {
    name: "late-connection-stays",
    kind: "missed cleanup",
    what: "a connection that comes after the attempt was given up is not closed",
    edits: [{ in: "rpc", find: "return dispose(result);", put: "return;" }],
  },
  {
    name: "source-stays",
    kind: "missed cleanup",
    what: "the stream of requests is not left when its call has ended",
    edits: [{ in: "ttrpc", find: "leave(this.#requests);", put: ";" }],
  },
  {
    name: "handlers-counted-for-ever",
    kind: "wrong count",
    what: "a handler whose call was answered before it returned counts as running for ever",
    edits: [
      {
        in: "ttrpc",
        find: "call.dropRequests();\n        this.#running--;",
        put: "call.dropRequests();\n        if (error !== undefined && call.answered && call.requestsEnded && call.abortReason !== undefined) return;\n        this.#running--;",
      },
    ],
  },
  {
    name: "frame-in-three-pieces",
    kind: "lost bytes",
    what: "a frame that comes in more than two chunks is put together wrongly",
    edits: [{ in: "ttrpc", find: "this.#bodyHas += taken;", put: "this.#bodyHas = taken;" }],
  },
  {
    name: "chunks-overtake",
    kind: "lost order",
    what: "a chunk that comes while others wait is read before them",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#at < this.#chunk.length || this.#waiting.length > 0)",
        put: "if (this.#at < this.#chunk.length)",
      },
    ],
    missed: "takes a link that delivers while it is paused, which none may; frame.test.ts finds it",
  },
  {
    name: "memory-used-again",
    kind: "shared memory",
    what: "a slab that the link still holds is written to again",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#link.write(buffer.subarray(0, at)))\n            this.#keep(buffer);",
        put: "this.#link.write(buffer.subarray(0, at));\n        this.#keep(buffer);",
      },
    ],
  },
  {
    name: "late-deadline",
    kind: "wrong time",
    what: "a deadline before all others does not move the timer forward",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#timer === undefined || wake < this.#wakeTick)",
        put: "if (this.#timer === undefined)",
      },
    ],
  },
  {
    name: "deadline-rounded-down",
    kind: "off by one in time",
    what: "a deadline is put into the slot before its own, and found one round later",
    edits: [
      {
        in: "ttrpc",
        find: "Math.ceil(entry.deadlineAt / slotMs)",
        put: "Math.floor(entry.deadlineAt / slotMs)",
      },
    ],
  },
  {
    name: "served-while-closing",
    kind: "wrong state",
    what: "a server that closes takes new calls on connections with running ones",
    edits: [
      {
        in: "ttrpc",
        find: 'if (this.#draining)\n            return this.#refusals.refuse(id, Code.Unavailable, "the server is shutting down");',
        put: "",
      },
    ],
  },
  {
    name: "closed-one-call-early",
    kind: "off by one in counts",
    what: "a connection of a closing server ends while its last call still runs",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#draining && this.#calls.size === 0) this.close(this.makeError(",
        put: "if (this.#draining && this.#calls.size <= 1) this.close(this.makeError(",
      },
    ],
  },
  {
    name: "no-word-of-leaving",
    kind: "lost message",
    what: "the server takes the client's word that nobody waits for nothing",
    edits: [
      {
        in: "ttrpc",
        find: "if (abandons)\n            return this.#abandoned(call);",
        put: "if (abandons)\n            return;",
      },
    ],
  },
  {
    name: "half-a-stream-committed",
    kind: "wrong end",
    what: "a handler sees a regular end of requests when the client has only gone away",
    edits: [
      {
        in: "ttrpc",
        find: "this.#queue?.fail(reason, true);",
        put: "this.#queue?.end();",
      },
    ],
  },
  {
    name: "no-back-pressure",
    kind: "missed bound",
    what: "a server's streams do not wait for room on the connection",
    edits: [
      {
        in: "ttrpc",
        find: "return this.#output.room(this.#limits.streamSendBytes);\n    }\n    overflowed(call) {",
        put: "return undefined;\n    }\n    overflowed(call) {",
      },
    ],
  },
  {
    name: "wrong-session-forgotten",
    kind: "mixed-up connections",
    what: "the end of an old connection makes the channel forget the present one",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#session === session)\n                        this.#session = undefined;",
        put: "this.#session = undefined;",
      },
    ],
  },
  {
    name: "call-between-two-looks",
    kind: "lost wake-up",
    what: "a call that comes while an attempt to connect ends is not seen by anyone",
    edits: [{ in: "ttrpc", find: "if (!control.signal.aborted)\n            this.#advance();", put: "" }],
  },
  {
    name: "grace-to-the-end",
    kind: "lost wake-up",
    what: "a channel that closes waits for its whole grace although its calls have ended",
    edits: [{ in: "ttrpc", find: "#checkIdle() {\n        this.#idle?.();", put: "#checkIdle() {" }],
  },
  {
    name: "hello-takes-the-last-id",
    kind: "off by one in ids",
    what: "what is said in front of a call takes the last id, and the call goes out with one that does not fit",
    edits: [
      {
        in: "ttrpc",
        find: "if (this.#closed || this.#nextId >= lastId ||",
        put: "if (this.#closed || this.#nextId > lastId ||",
      },
    ],
  },
];
