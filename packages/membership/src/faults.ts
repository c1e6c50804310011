/**
 * Rules of membership that a simulation can switch off, to see that it notices.
 *
 * Only simulations and tests give any. Each one is caught by a test in faults.test.ts.
 */
export interface MembershipFaults {
  /** One accusation convicts. */
  readonly oneWatcherIsEnough?: boolean;
  /** Nobody is asked to probe for another. */
  readonly noIndirectProbe?: boolean;
  /** A peer that sees nobody believes its eyes. */
  readonly noSelfDistrust?: boolean;
  /** Who is lost is never probed again. */
  readonly lostNotProbed?: boolean;
  /** A peer does not answer what is said about it. */
  readonly noRefutation?: boolean;
  /** A lone suspicion becomes a conviction as fast as a confirmed one. */
  readonly noPatienceAlone?: boolean;
  /** The votes of watchers that are themselves out of sight are waited for. */
  readonly deadWatchersCount?: boolean;
  /** Workers convict without any manager. */
  readonly workersConvict?: boolean;
  /** A leader tells of every peer that it has heard it just now. */
  readonly sightsAll?: boolean;
  /** A sighting counts as heard when it comes, however old it is. */
  readonly sightingsAgeless?: boolean;
  /** A leader tells of what it heard before it stood still. */
  readonly sightsWhatWaited?: boolean;
  /** A host that refuses connections is lost at once. */
  readonly noGrace?: boolean;
}
