/** Occasion: what the changes of one entry of the log share when they are applied. */
import type { View } from "./view.ts";

export interface Occasion {
  /** The state that the changes before this one have made. */
  readonly view: View;
  /** Place of the entry in the log. */
  readonly index: number;
  /** RFC 3339; the same moment as `atMs`. */
  readonly at: string;
  readonly atMs: number;
}

interface Moved {
  readonly Version: { readonly Index: number };
  readonly UpdatedAt: string;
}

/** What an object has that is made now. */
export function born({ index, at }: Occasion): Moved & { readonly CreatedAt: string } {
  return { Version: { Index: index }, CreatedAt: at, UpdatedAt: at };
}

/** What an object has whose version moves now. */
export function moved({ index, at }: Occasion): Moved {
  return { Version: { Index: index }, UpdatedAt: at };
}
