/**
 * Target: one decoder under fuzz.
 *
 * A decoder may return, or throw an error that its callers catch. Any other error would end an agent.
 */
import { GamError, type Random } from "@gam/core";

/** Who sends the decoder's input. */
export type Group = "strangers" | "containers" | "clients" | "members";

export interface Target {
  readonly name: string;
  readonly group: Group;
  /** How inputs are made from valid ones. */
  readonly form: "bytes" | "frames" | "value" | "json" | "text";
  /** Valid inputs. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the language, for `text`. */
  readonly words?: readonly string[];
  /** Returns whether the input was accepted. May throw errors that `isRefusal` allows. */
  readonly take: (input: Uint8Array, random: Random) => boolean | Promise<boolean>;
  /** Before the first input, and after the last. */
  readonly open?: () => Promise<void>;
  readonly close?: () => Promise<void>;
  /** Whether an error is a refusal. Default: the project's typed error. */
  readonly isRefusal?: (thrown: unknown) => boolean;
}

export function isRefusal(target: Target, thrown: unknown): boolean {
  return target.isRefusal === undefined ? thrown instanceof GamError : target.isRefusal(thrown);
}
