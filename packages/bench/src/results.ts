// The results of a run as rows, and what is asked of them: single figures, and ratios within rounds. All that is printed,
// drawn or compared is made of rows, so that a stored file serves as well as a fresh run. Measures and prints nothing.
import { readFile, writeFile } from "node:fs/promises";
import { median } from "./statistics.js";

/** What all rows have; what was measured is beside it. */
export interface ResultRow {
  /** What was measured. */
  readonly case: string;
  readonly stack: string;
}

/** The medians over all rounds of one stack in a case of calls. CPU is `null` where the system does not tell. */
export interface Row extends ResultRow {
  /** Calls per second; for streams, messages per second. */
  readonly perSecond: number;
  /** CPU time of the client process per call (or message), in microseconds. */
  readonly clientCpuMicros: number | null;
  /** The same of the server process. */
  readonly serverCpuMicros: number | null;
  /** Half of all calls took no longer than this, in microseconds; for streams, the time until the first message. */
  readonly p50Micros: number | null;
  /** 99 of 100 calls took no longer than this. */
  readonly p99Micros: number | null;
  /** What each round measured: the ratios are made of it. */
  readonly rounds: Rounds;
}

/** One entry per round: those of two stacks at the same place were measured within seconds of each other. */
export interface Rounds {
  readonly perSecond: readonly (number | null)[];
  /** CPU time of both processes per call, in microseconds. */
  readonly cpuMicros: readonly (number | null)[];
}

/** Where rows were measured. It is part of each row of a stored file. */
export interface Machine {
  /** The version of Node. */
  readonly node: string;
  /** The system and its processors. */
  readonly machine: string;
}

/** What two stacks are compared by within rounds. */
export type Compared = keyof Rounds;

/** Rows with answers. Everything that is not known is NaN. */
export interface Results {
  readonly rows: readonly ResultRow[];
  /** A figure of a row by its name, as {@link Row} has them; `cpuMicros` is the CPU of both ends. */
  figure(name: string, stack: string, figure: string): number;
  /** How many times the figure of `above` is that of `below`, in the same case: the median of the rounds' ratios. */
  ratio(name: string, figure: Compared, above: string, below: string): number;
}

/** Makes rows ready to be asked. */
export function resultsOf(rows: readonly ResultRow[]): Results {
  const byName = new Map(rows.map((row) => [`${row.case} ${row.stack}`, row]));
  return {
    rows,
    figure: (name, stack, figure) => figureOf(byName.get(`${name} ${stack}`), figure),
    ratio(name, figure, above, below) {
      const [over = [], under = []] = [above, below].map((stack) => {
        return (byName.get(`${name} ${stack}`) as Partial<Row> | undefined)?.rounds?.[figure];
      });
      if (over.length !== under.length) return Number.NaN;
      return median(over.map((value, i) => (value ?? Number.NaN) / (under[i] ?? Number.NaN)));
    },
  };
}

/** A figure of a row by its name. @returns NaN where the row has none. */
export function figureOf(row: ResultRow | undefined, figure: string): number {
  const values = (row ?? {}) as Readonly<Record<string, unknown>>;
  if (figure === "cpuMicros") return figureOf(row, "clientCpuMicros") + figureOf(row, "serverCpuMicros");
  const value = values[figure];
  return typeof value === "number" ? value : Number.NaN;
}

/** Rounds to four digits: no measurement here is better, and files stay short. `null` for what is no number. */
export function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
}

/** Takes fresh rows in place of older ones of the same case and stack; all others stay. */
export function mergeRows(older: readonly ResultRow[], fresh: readonly ResultRow[]): ResultRow[] {
  const same = (row: ResultRow, other: ResultRow): boolean => row.case === other.case && row.stack === other.stack;
  const kept = older.map((row) => fresh.find((other) => same(row, other)) ?? row);
  return [...kept, ...fresh.filter((row) => !older.some((other) => same(row, other)))];
}

/** Writes rows as a JSON array, one row a line, each with where it was measured unless it says so already. */
export async function writeRows(file: string, rows: readonly ResultRow[], machine: Machine): Promise<void> {
  const lines = rows.map((row) => `  ${JSON.stringify({ ...row, ...("node" in row ? {} : machine) })}`);
  await writeFile(file, lines.length === 0 ? "[]\n" : `[\n${lines.join(",\n")}\n]\n`);
}

/**
 * Reads what {@link writeRows} wrote.
 *
 * @throws {Error} naming the file, when it cannot be read or holds something else.
 */
export async function readRows(file: string): Promise<ResultRow[]> {
  let rows: unknown;
  try {
    rows = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} is no file of results: ${(error as Error).message}`);
  }
  if (!Array.isArray(rows)) throw new Error(`${file} is no file of results: it holds no array`);
  const wrong = rows.findIndex((row) => typeof row?.case !== "string" || typeof row.stack !== "string");
  if (wrong >= 0) throw new Error(`${file} is no file of results: entry ${wrong} has no case or stack`);
  return rows;
}

/** Where stored rows were measured; `undefined` when they do not say. */
export function machineOf(rows: readonly ResultRow[]): Machine | undefined {
  return rows.find((row): row is ResultRow & Machine => "node" in row && "machine" in row);
}
