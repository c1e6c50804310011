import type { Tree } from "./tree.ts";

export interface Breach {
  readonly path: string;
  readonly line: number;
  /** What is wrong and what to do. */
  readonly message: string;
}

export type Rule = (tree: Tree) => Breach[];
