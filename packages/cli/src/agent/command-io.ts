/** Everything that a command may use besides the agent. Tests pass their own. */
export interface CommandIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether the output is a terminal, which shows colours. */
  readonly isTerminal: boolean;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Asks the user and resolves to the line that they typed. Absent without a terminal. */
  readonly ask?: (question: string) => Promise<string>;
  /** Writes one line of the answer. */
  print(line: string): void;
  /** Writes one line about problems or progress, apart from the answer. */
  complain(line: string): void;
}
