import type { Readable, Writable } from "node:stream";

/** Everything that a command may use besides the agent. Tests pass their own. */
export interface CommandIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether the output is a terminal, which shows colours. */
  readonly isTerminal: boolean;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves after that time. */
  pause(ms: number): Promise<void>;
  /** Calls back on Ctrl-C, which then does not end the program. Returns: a function that undoes this. */
  onInterrupt(call: () => void): () => void;
  /** Writes to the terminal without a new line. Absent where the answer does not go to a terminal. */
  readonly draw?: (text: string) => void;
  /** Asks the user and resolves to the line that they typed. Absent without a terminal. */
  readonly ask?: (question: string) => Promise<string>;
  /** For data instead of lines: standard input and output. Absent in tests that need none. */
  readonly data?: { readonly in: Readable; readonly out: Writable };
  /** Writes one line of the answer. */
  print(line: string): void;
  /** Writes one line about problems or progress, apart from the answer. */
  complain(line: string): void;
}
