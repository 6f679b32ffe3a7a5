// What a VM's init says on the serial port of the command: the command's lines, and marks that a random token sets apart from
// them. Pure: text in, calls out.

/** What init announces. */
export interface ConsoleEvents {
  /** A line of the command's own output. */
  line(text: string): void;
  /** The command is about to start; `uptime` is the VM's own clock in seconds. */
  ready(uptime: number): void;
  /** The command ended. */
  exit(status: number): void;
  /** Init could not come as far as the command. */
  failed(reason: string): void;
}

/** Takes text as it comes. */
export interface ConsoleReader {
  push(text: string): void;
}

/** Makes a reader for the marks with this token. */
export function createConsoleReader(token: string, events: ConsoleEvents): ConsoleReader {
  let rest = "";
  // Init begins its last mark on a new line, which leaves an empty one where the output ended with one already.
  let emptyHeld = false;

  const line = (text: string): void => {
    const mark = text.startsWith(`${token} `) ? text.slice(token.length + 1) : undefined;
    const [, word, value] = mark?.match(/^(READY|EXIT|FAILED) (.*)$/) ?? [];
    if (emptyHeld && word !== "EXIT") events.line("");
    emptyHeld = false;
    if (word === "READY") events.ready(Number(value));
    else if (word === "EXIT") events.exit(Number(value));
    else if (word === "FAILED") events.failed(value ?? "");
    else if (text === "") emptyHeld = true;
    else events.line(text);
  };

  return {
    push(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const one of lines) line(one.replace(/\r$/, ""));
    },
  };
}
