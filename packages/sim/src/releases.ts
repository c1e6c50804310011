/**
 * Releases: two in a row, as dialects of the log.
 *
 * The change that came with the next release is one of today's, and the last release does not know its kind. So
 * no change has to be invented.
 */
import { type AskedChange, type Dialect, spokenDialect } from "@gam/state";

/** In one of this many histories, hosts begin with the last release. */
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

/** `unnamed`: a planted fault. The next release does not name the dialect of its new change. */
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
