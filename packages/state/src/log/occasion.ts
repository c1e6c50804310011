/** Occasion: what all changes of one log entry share when they are applied. */
import type { View } from "./view.ts";

export interface Occasion {
  /** The state after the earlier changes of the entry. */
  readonly view: View;
  /** Index of the entry in the log. */
  readonly index: number;
  /** RFC 3339; the same moment as `atMs`. */
  readonly at: string;
  readonly atMs: number;
}

interface Moved {
  readonly Version: { readonly Index: number };
  readonly UpdatedAt: string;
}

/** Returns: the version and times of an object that is created now. */
export function born({ index, at }: Occasion): Moved & { readonly CreatedAt: string } {
  return { Version: { Index: index }, CreatedAt: at, UpdatedAt: at };
}

/** Returns: the version and time of an object whose version changes now. */
export function moved({ index, at }: Occasion): Moved {
  return { Version: { Index: index }, UpdatedAt: at };
}
