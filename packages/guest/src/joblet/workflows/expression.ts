// Reads requirements as people write them: `build=COMPLETED AND (lint=COMPLETED OR NOT test IN (FAILED, STOPPED))`.
import type { FinalJobStatus } from "@guestwire/joblet";
import { invalid, quoted } from "../../errors.js";
import { expressionLength, mostNesting } from "../limits.js";
import { type Condition, finishedStatuses } from "./condition.js";

const statuses: ReadonlyMap<string, readonly FinalJobStatus[]> = new Map([
  ...(["COMPLETED", "FAILED", "STOPPED", "CANCELED"] as const).map((status) => [status, [status]] as const),
  ["FINISHED", finishedStatuses] as const,
]);

/**
 * The condition that a job has a status.
 *
 * @param status COMPLETED, FAILED, STOPPED, CANCELED, or FINISHED for any of those but CANCELED.
 * @throws {RpcError} Code.InvalidArgument for anything else.
 */
export function statusCondition(field: string, job: string, status: string): Condition {
  return { kind: "is", job, statuses: readStatus(field, status) };
}

/**
 * Reads an expression: `JOB = STATUS`, `JOB != STATUS`, `JOB IN (STATUS, …)`, `JOB NOT IN (…)`, with AND, OR, NOT and
 * brackets. Words may be written in small letters; a job's name that holds other signs than letters, digits and `._-`
 * stands in quotes.
 *
 * @param field The request's field, for errors.
 * @throws {RpcError} Code.InvalidArgument telling where it is wrong.
 */
export function readExpression(field: string, text: string): Condition {
  const reader = new Reader(field, text);
  const condition = reader.either(0);
  reader.finish();
  return condition;
}

function readStatus(field: string, status: string): readonly FinalJobStatus[] {
  const found = statuses.get(status.toUpperCase());
  if (found !== undefined) return found;
  throw invalid(field, `${quoted(status)} is no status to wait for; these are: ${[...statuses.keys()].join(", ")}`);
}

interface Token {
  readonly text: string;
  readonly at: number;
  readonly quoted: boolean;
}

class Reader {
  readonly #field: string;
  readonly #tokens: Token[] = [];
  #next = 0;

  constructor(field: string, text: string) {
    this.#field = field;
    if (text.length > expressionLength) throw invalid(field, `has more than ${expressionLength} characters`);
    const pattern = /\s*(?:"([^"]*)"|'([^']*)'|(!=|==|[=(),]|[A-Za-z0-9._-]+))/y;
    const end = text.trimEnd().length;
    while (pattern.lastIndex < end) {
      const at = pattern.lastIndex;
      const match = pattern.exec(text);
      if (match === null) throw invalid(field, `cannot be read at character ${at + 1}: ${quoted(text.slice(at))}`);
      const [, double, single, plain] = match;
      this.#tokens.push({ text: double ?? single ?? (plain as string), at, quoted: plain === undefined });
    }
  }

  either(depth: number): Condition {
    const parts = [this.#both(depth)];
    while (this.#take("OR")) parts.push(this.#both(depth));
    return parts.length === 1 ? (parts[0] as Condition) : { kind: "or", parts };
  }

  finish(): void {
    if (this.#next < this.#tokens.length) throw this.#unexpected("AND, OR or the end");
  }

  #both(depth: number): Condition {
    const parts = [this.#one(depth)];
    while (this.#take("AND")) parts.push(this.#one(depth));
    return parts.length === 1 ? (parts[0] as Condition) : { kind: "and", parts };
  }

  #one(depth: number): Condition {
    if (depth > mostNesting) throw invalid(this.#field, `nests deeper than ${mostNesting}`);
    if (this.#take("NOT")) return { kind: "not", part: this.#one(depth + 1) };
    if (this.#take("(")) {
      const inner = this.either(depth + 1);
      if (!this.#take(")")) throw this.#unexpected('")"');
      return inner;
    }
    const job = this.#word("a job's name");
    if (this.#take("=") || this.#take("==")) return this.#is(job, [this.#word("a status")]);
    if (this.#take("!=")) return { kind: "not", part: this.#is(job, [this.#word("a status")]) };
    const negated = this.#take("NOT");
    if (!this.#take("IN")) throw this.#unexpected("=, != or IN");
    const condition = this.#is(job, this.#list());
    return negated ? { kind: "not", part: condition } : condition;
  }

  #is(job: string, names: readonly string[]): Condition {
    return { kind: "is", job, statuses: [...new Set(names.flatMap((name) => readStatus(this.#field, name)))] };
  }

  #list(): string[] {
    if (!this.#take("(")) throw this.#unexpected('"("');
    const names = [this.#word("a status")];
    while (this.#take(",")) names.push(this.#word("a status"));
    if (!this.#take(")")) throw this.#unexpected('"," or ")"');
    return names;
  }

  #take(word: string): boolean {
    const token = this.#tokens[this.#next];
    if (token === undefined || token.quoted || token.text.toUpperCase() !== word) return false;
    this.#next++;
    return true;
  }

  #word(what: string): string {
    const token = this.#tokens[this.#next];
    const isWord = token?.quoted ? token.text !== "" : token !== undefined && /^[A-Za-z0-9._-]/.test(token.text);
    const isKeyword = token !== undefined && !token.quoted && /^(and|or|not|in)$/i.test(token.text);
    if (token === undefined || !isWord || isKeyword) throw this.#unexpected(what);
    this.#next++;
    return token.text;
  }

  #unexpected(expected: string): Error {
    const token = this.#tokens[this.#next];
    const found = token === undefined ? "it ends" : `${quoted(token.text)} stands at character ${token.at + 1}`;
    return invalid(this.#field, `${found} where ${expected} is due`);
  }
}
