/** What every replicated object has. Names and shapes are the Docker Engine API's (1.41 and later). */
export interface Version {
  /**
   * Moves when a client's write changes the object, not when the cluster itself does (progress of an
   * update, state of a node): otherwise clients that read, change and write lose races they never saw.
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
