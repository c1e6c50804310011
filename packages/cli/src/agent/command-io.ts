/** What a command may touch besides the agent. Tests make one of their own. */
export interface CommandIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** A person looks at it: colours are welcome. */
  readonly isTerminal: boolean;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Asks the person at the terminal, and resolves to the line that was typed. Absent where there is none. */
  readonly ask?: (question: string) => Promise<string>;
  /** One line of the answer. */
  print(line: string): void;
  /** One line of what is wrong or going on, apart from the answer. */
  complain(line: string): void;
}
