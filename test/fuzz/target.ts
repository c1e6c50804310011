/**
 * Target: one decoder under fuzz.
 *
 * A decoder may return, or throw what its callers catch. Anything else ends an agent.
 */
import { GamError, type Random } from "@gam/core";

/** Who sends what the decoder reads. */
export type Group = "strangers" | "containers" | "clients" | "members";

export interface Target {
  readonly name: string;
  readonly group: Group;
  /** How inputs are made of the valid ones. */
  readonly form: "bytes" | "frames" | "value" | "json" | "text";
  /** Valid inputs. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the language, for `text`. */
  readonly words?: readonly string[];
  /** Returns whether the input was taken. May throw what `isRefusal` allows. */
  readonly take: (input: Uint8Array, random: Random) => boolean | Promise<boolean>;
  /** Before the first input, and after the last. */
  readonly open?: () => Promise<void>;
  readonly close?: () => Promise<void>;
  /** Default: the project's typed error. */
  readonly isRefusal?: (thrown: unknown) => boolean;
}

export function isRefusal(target: Target, thrown: unknown): boolean {
  return target.isRefusal === undefined ? thrown instanceof GamError : target.isRefusal(thrown);
}
