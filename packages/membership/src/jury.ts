import type { Opinion } from "./message.ts";

export type Finding = "none" | "refused" | "silent" | "gone";

/**
 * What the watchers of one peer have found together.
 *
 * Shape: `opinions` holds one entry per watcher that counts. `votes` says how many support the finding.
 *
 * A refusal proves that the host lives, so it never counts as silence. Only after the grace do
 * the two count together.
 */
export function findingOf(
  opinions: readonly Opinion[],
  needed: number,
): { readonly finding: Finding; readonly votes: number } {
  const count = (opinion: Opinion): number => opinions.filter((one) => one === opinion).length;
  const [silent, refused, gone] = [count("silent"), count("refused"), count("gone")];
  if (silent >= needed) return { finding: "silent", votes: silent };
  if (silent + gone >= needed) return { finding: "gone", votes: silent + gone };
  const unanswered = silent + gone + refused;
  if (unanswered >= needed) return { finding: "refused", votes: unanswered };
  return { finding: "none", votes: unanswered };
}

/** Whether an opinion supports the finding. */
export function carries(opinion: Opinion, finding: Finding): boolean {
  switch (finding) {
    case "none":
      return false;
    case "silent":
      return opinion === "silent";
    case "gone":
      return opinion === "silent" || opinion === "gone";
    case "refused":
      return opinion === "silent" || opinion === "gone" || opinion === "refused";
  }
}

/**
 * Votes needed to convict: a majority, at least two; one if only one live member is left beside the accused.
 *
 * Shape: `watchers` is how many count, `peersLeft` the live members beside the accused, us included.
 */
export function votesNeeded(watchers: number, peersLeft: number): number {
  if (peersLeft <= 1) return 1;
  return Math.max(2, Math.floor(watchers / 2) + 1);
}
