/** Fields of every replicated object. Names and shapes are the Docker Engine API's (1.41 and later). */
export interface Version {
  /**
   * Changes when a client writes the object, but not when the cluster itself does (progress of an update, state
   * of a node). Otherwise clients that read, modify and write would lose races that they cannot see.
   */
  readonly Index: number;
}

export interface Meta {
  readonly ID: string;
  readonly Version: Version;
  /** RFC 3339, UTC. */
  readonly CreatedAt: string;
  /** RFC 3339, UTC. */
  readonly UpdatedAt: string;
}

export type Labels = Readonly<Record<string, string>>;
