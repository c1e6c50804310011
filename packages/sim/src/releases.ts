/**
 * Releases: two in a row, as dialects of the log.
 *
 * The change that came with the next one is one of today's: to the last release it is a kind that it does not know.
 * So no change has to be made up that no gam has.
 */
import { type AskedChange, type Dialect, spokenDialect } from "@gam/state";

/** In every so many histories hosts are upgraded. All others have one release. */
const mixedEvery = 7;

const { since } = spokenDialect;
const next: Dialect = {
  newest: spokenDialect.newest + 1,
  since: {
    ...since,
    rotateTokens: { ...since.rotateTokens, kind: spokenDialect.newest + 1 },
  },
  inner: spokenDialect.inner,
};

export interface Releases {
  readonly last: Dialect;
  readonly next: Dialect;
}

/** `unnamed`: a planted fault. Whoever wrote the next release forgot to name the dialect of the new change. */
export function releasesOf(seed: number, unnamed = false): Releases | undefined {
  if (seed % mixedEvery !== 3) return undefined;
  return {
    last: { ...next, newest: spokenDialect.newest },
    next: unnamed ? { ...next, since } : next,
  };
}

/** Came with the next release. */
export const changeOfNext: AskedChange = {
  kind: "rotateTokens",
  worker: undefined,
  manager: undefined,
};
