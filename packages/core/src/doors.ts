/** The doors through which chance comes in. Anything else that can differ between two runs is an input. */

/** For shells only. Machines count ticks, plans get `nowMs` with their view. */
export interface Clock {
  /** Milliseconds since some fixed moment. Never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970 (UTC), as the host believes them to be. May jump. */
  wallMs(): number;
}

export interface Random {
  /** A whole number in [0, bound), near enough to uniform for jitter and faults. Never for keys. */
  below(bound: number): number;
}

export interface Mint {
  /** 25 characters of base36 that nothing in this cluster has been called before. */
  id(): string;
}
