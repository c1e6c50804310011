/**
 * Rules of membership that a simulation can switch off, to prove that its checkers notice.
 *
 * Only simulations and tests plant faults. A test in faults.test.ts catches each one.
 */
export interface MembershipFaults {
  /** One accusation convicts. */
  readonly oneWatcherIsEnough?: boolean;
  /** Watchers never ask others to probe for them. */
  readonly noIndirectProbe?: boolean;
  /** A peer that hears nobody still trusts its own opinions. */
  readonly noSelfDistrust?: boolean;
  /** A lost peer is never probed again. */
  readonly lostNotProbed?: boolean;
  /** A peer does not refute opinions about it. */
  readonly noRefutation?: boolean;
  /** A lone suspicion becomes a conviction as fast as a confirmed one. */
  readonly noPatienceAlone?: boolean;
  /** Watchers that are silent themselves still count in the majority. */
  readonly deadWatchersCount?: boolean;
  /** Workers convict without any manager. */
  readonly workersConvict?: boolean;
  /** A leader claims that it has just heard every peer. */
  readonly sightsAll?: boolean;
  /** A sighting counts as heard when it comes, however old it is. */
  readonly sightingsAgeless?: boolean;
  /** A leader passes on messages that waited while its process was paused. */
  readonly sightsWhatWaited?: boolean;
  /** A host that refuses connections is lost at once. */
  readonly noGrace?: boolean;
}
