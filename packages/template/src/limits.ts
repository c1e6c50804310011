/**
 * Limits: what one template may cost. Go has no limits but the depth; a template of one client must not stop the
 * agents of all.
 */

/** Longest result, and longest single value in between. Configs have at most 1000 KiB. */
export const textBytesMax = 4 * 1024 * 1024;

/** Nodes that are executed, and units of 64 bytes that are produced. Some 100 ms. */
const stepsMax = 100_000;
export const stepBytes = 64;

/** What several templates may cost together, for example all those of one spec. */
export class Budget {
  steps = stepsMax;
}

/** Templates that call each other. Go stops at 100,000. */
export const depthMax = 100;

/** Blocks and parentheses in each other. Go stops at 10,000. */
export const nestingMax = 100;

/** Blocks in each other at run time, in all templates that call each other. Each takes some of the stack. */
export const blocksMax = 400;

/** As in Go's fmt. */
export const widthMax = 1_000_000;
