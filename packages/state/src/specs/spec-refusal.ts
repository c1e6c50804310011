/** Refusals of specs, in Swarm's form. Errors: GamError BAD_REQUEST. */
import { GamError } from "@gam/core";

export function refuse(message: string): never {
  throw new GamError("BAD_REQUEST", message);
}

/** Errors of Swarm's manager carry the manager's code; errors of the engine in front of it do not. */
export function invalid(message: string): never {
  refuse(`rpc error: code = InvalidArgument desc = ${message}`);
}

/** Calls `no` for a word that is not in the list. An absent one is allowed. */
export function oneOf(
  found: string | undefined,
  words: readonly string[],
  no: (found: string) => never,
): void {
  if (found !== undefined && !words.includes(found)) no(found);
}
