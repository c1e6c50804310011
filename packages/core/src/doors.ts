/** Interfaces for randomness and time. All else that can differ between two runs is an input. */

/** For shells only. Machines count ticks, and plans get `nowMs` with their view. */
export interface Clock {
  /** Milliseconds since some fixed moment. Never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970 (UTC), by the host's clock. May jump. */
  wallMs(): number;
}

export interface Random {
  /** A whole number in [0, bound), uniform enough for jitter and faults. Never for keys. */
  below(bound: number): number;
}

export interface Mint {
  /** A new id: 25 characters of base36, unique in this cluster. */
  id(): string;
}
