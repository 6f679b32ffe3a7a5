import type { FinalJobStatus } from "@guestwire/joblet";
import { Code, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { evaluate, jobsOf } from "./condition.js";
import { readExpression } from "./expression.js";

type Outcomes = Record<string, FinalJobStatus>;

function result(text: string, outcomes: Outcomes): boolean | undefined {
  return evaluate(readExpression("expression", text), (job) => outcomes[job]);
}

describe("an expression is decided as soon as it can be", () => {
  const cases: [string, Outcomes, boolean | undefined][] = [
    ["a=COMPLETED", {}, undefined],
    ["a=COMPLETED", { a: "COMPLETED" }, true],
    ["a == completed", { a: "FAILED" }, false],
    ["a != COMPLETED", { a: "FAILED" }, true],
    ["a IN (FAILED, STOPPED)", { a: "STOPPED" }, true],
    ["a not in (FAILED,STOPPED)", { a: "STOPPED" }, false],
    ["a=FINISHED", { a: "FAILED" }, true],
    ["a=FINISHED", { a: "CANCELED" }, false],
    ["a=COMPLETED AND b=COMPLETED", { a: "COMPLETED" }, undefined],
    ["a=COMPLETED AND b=COMPLETED", { a: "FAILED" }, false],
    ["a=COMPLETED OR b=COMPLETED", { a: "COMPLETED" }, true],
    ["a=COMPLETED OR b=COMPLETED", { a: "FAILED" }, undefined],
    ["a=COMPLETED OR b=COMPLETED AND c=COMPLETED", { a: "COMPLETED", c: "FAILED" }, true],
    ["(a=COMPLETED OR b=COMPLETED) AND c=COMPLETED", { a: "COMPLETED", c: "FAILED" }, false],
    ["NOT (a=COMPLETED OR a=FAILED)", { a: "STOPPED" }, true],
    ["NOT NOT a=FAILED", { a: "FAILED" }, true],
    ['"my job" = COMPLETED', { "my job": "COMPLETED" }, true],
    ["'and'=COMPLETED", { and: "COMPLETED" }, true],
  ];
  test.each(cases)("%s with %j is %s", (text, outcomes, expected) => {
    expect(result(text, outcomes)).toBe(expected);
  });
});

test("the jobs of an expression are known, each once", () => {
  expect(jobsOf(readExpression("x", "a=FAILED OR NOT (b=FAILED AND a=COMPLETED)"))).toEqual(["a", "b"]);
});

describe("what cannot be read is InvalidArgument and says where", () => {
  const cases: [string, string][] = [
    ["", "it ends where a job's name is due"],
    ["a", "it ends where =, != or IN is due"],
    ["a=", "it ends where a status is due"],
    ["a=RUNNING", '"RUNNING" is no status to wait for'],
    ["a=COMPLETED b=COMPLETED", '"b" stands at character 12 where AND, OR or the end is due'],
    ["(a=COMPLETED", 'it ends where ")" is due'],
    ["a IN COMPLETED", '"COMPLETED" stands at character 5 where "(" is due'],
    ["a IN ()", '")" stands at character 7 where a status is due'],
    ["AND=COMPLETED", '"AND" stands at character 1 where a job\'s name is due'],
    ["a=COMPLETED && b=FAILED", "cannot be read at character 12"],
    [`${"(".repeat(200)}a=FAILED`, "nests deeper than 100"],
    [`${"not ".repeat(10_000)}a=FAILED`, "nests deeper than 100"],
  ];
  test.each(cases)("%s", (text, message) => {
    let error: unknown;
    try {
      readExpression("requirements[0].expression", text);
    } catch (thrown) {
      error = thrown;
    }
    expect(RpcError.from(error)).toMatchObject({ code: Code.InvalidArgument });
    expect(RpcError.from(error).rawMessage).toContain(`requirements[0].expression: ${message}`);
  });
});
