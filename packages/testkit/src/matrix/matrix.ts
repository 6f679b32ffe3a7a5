// The matrix of real peers: which cases each one goes through with ours at the other end, and the table of it. Knows no peer.

/** A program of others, or one of ours on their library, in one role. A row of the table. */
export interface MatrixPeer {
  /** The library or the program, such as `Go ttrpc`. */
  readonly name: string;
  /** Its pinned version. */
  readonly version: string;
  /** What the peer is; the other end is ours. */
  readonly role: "server" | "client";
  /** Why a case is not run with this peer, by case: what the peer cannot do at all. */
  readonly without?: Readonly<Record<string, string>>;
  /** What this peer does otherwise than the others, by case. The case is run, and holds the peer to it. */
  readonly deviations?: Readonly<Record<string, string>>;
  /**
   * Builds and starts it.
   *
   * @returns `undefined` where it cannot be had on this machine; the reason is printed.
   */
  open(): Promise<OpenPeer | undefined>;
}

/** A peer that is there. Disposing it ends its processes. */
export interface OpenPeer extends AsyncDisposable {
  /** Runs one case. @throws {Error} what was found to be otherwise. */
  run(name: string): Promise<void>;
}

/** Peers that go through the same cases. One table. */
export interface Matrix {
  readonly title: string;
  /** The cases, in the order of the columns; each with one line on what is tried. */
  readonly cases: Readonly<Record<string, string>>;
  readonly peers: readonly MatrixPeer[];
}

/** How a case went. `missing`: the peer cannot be had here. */
export type Verdict = "passed" | "failed" | "without" | "missing";

/** What was found: by the peer's label, by case. */
export type Found = ReadonlyMap<string, ReadonlyMap<string, Verdict>>;

/** A peer's name in tables and tests. */
export function peerLabel({ name, version, role }: MatrixPeer): string {
  return `${name} ${version}, ${role}`;
}

/** The cases that a peer goes through. */
export function casesOf(matrix: Matrix, peer: MatrixPeer): string[] {
  return Object.keys(matrix.cases).filter((name) => peer.without?.[name] === undefined);
}

/**
 * The table of a matrix in Markdown: a row for each case, a column for each peer, and under it what is special about a peer.
 *
 * @param found What was found; without it, the table that is claimed.
 */
export function renderMatrix(matrix: Matrix, found?: Found): string {
  const notes: string[] = [];
  const noteOf = (text: string): number => {
    const at = notes.indexOf(text);
    return at < 0 ? notes.push(text) : at + 1;
  };
  const cell = (peer: MatrixPeer, name: string): string => {
    const reason = peer.without?.[name];
    if (reason !== undefined) return `– ${noteOf(reason)}`;
    const verdict = found?.get(peerLabel(peer))?.get(name) ?? (found === undefined ? "passed" : "missing");
    if (verdict !== "passed") return verdict;
    const deviation = peer.deviations?.[name];
    return deviation === undefined ? "✓" : `✓ ${noteOf(deviation)}`;
  };
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const columns = matrix.peers.map(peerLabel);
  const lines = [
    row(["case", ...columns]),
    row(["---", ...columns.map(() => "---")]),
    ...Object.keys(matrix.cases).map((name) => row([`\`${name}\``, ...matrix.peers.map((peer) => cell(peer, name))])),
  ];
  const legend = notes.map((note, i) => `${i + 1}. ${note}`);
  return [...lines, ...(legend.length === 0 ? [] : ["", ...legend])].join("\n");
}

/** A matrix's part of the documentation: the lines that it stands between, the table that is claimed, and what its cases try. */
export function documentMatrix(matrix: Matrix): { readonly begin: string; readonly end: string; readonly all: string } {
  const begin = `<!-- ${matrix.title}: written by task matrix:write -->`;
  const end = `<!-- end of ${matrix.title} -->`;
  const tried = Object.entries(matrix.cases).map(([name, what]) => `| \`${name}\` | ${what} |`);
  const cases = ["| case | what is tried |", "| --- | --- |", ...tried].join("\n");
  return { begin, end, all: [begin, renderMatrix(matrix), cases, end].join("\n\n") };
}
