/** A position in a stack file. Lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** An error or a warning for the author of a stack file. */
export interface Problem {
  readonly at: SourcePosition;
  /** What was found and what to do about it: no final period. */
  readonly message: string;
}

/** Returns: `stack.yml:12:5: message`, the form that editors turn into a link. */
export function showProblem({ at, message }: Problem): string {
  return `${at.file}:${at.line}:${at.column}: ${message}`;
}
