/** Earlier package: decides which kept package a host may go back to. Pure. */
import type { GamPackage } from "@gam/state/answers";

export interface Marks {
  /** What install.sh noted last: the sha256 of the installed package, and of the one before; "" for none. */
  readonly present: string;
  readonly earlier: string;
}

/**
 * Returns: the sha256 of the package to go back to; "" for none.
 *
 * install.sh notes the present package when it has installed it. If the power fails before that, the note is of the
 * package before.
 */
export function earlierPackage(
  running: string,
  kept: readonly GamPackage[],
  { present, earlier }: Marks,
): string {
  const noted = kept.find(({ sha256 }) => sha256 === present);
  const isStale = noted !== undefined && noted.version !== running;
  const wanted = isStale ? present : earlier;
  const found = kept.find(({ sha256 }) => sha256 === wanted);
  return found === undefined || found.version === running ? "" : found.sha256;
}
