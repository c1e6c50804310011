/**
 * Fault: a known mistake that a simulation can plant, to prove that its checkers find it.
 *
 * Only simulations plant faults. Real peers run with the default, none.
 */
export type RaftFault =
  /** Acknowledges entries, and counts its own copy, before they are on disk. */
  | "acknowledgeBeforePersist"
  /** The only voter commits without its standbys, though they answer. */
  | "commitAlone"
  /** Commits entries of earlier terms by counting copies. */
  | "commitOldTerm"
  /** Learners count in majorities. */
  | "countLearners"
  /** Votes for every candidate that asks, even for two in one term. */
  | "forgetVote"
  /** The new voters alone decide while the configuration is joint. */
  | "oneMajorityWhileJoint"
  /** A leader answers a read without checking that it still leads. */
  | "readWithoutQuorum"
  /** Votes for candidates that lack entries. */
  | "voteForStaleLog"
  /** Votes, and asks for votes, before the vote is on disk. */
  | "voteBeforePersist";

export const raftFaults: readonly RaftFault[] = [
  "acknowledgeBeforePersist",
  "commitAlone",
  "commitOldTerm",
  "countLearners",
  "forgetVote",
  "oneMajorityWhileJoint",
  "readWithoutQuorum",
  "voteForStaleLog",
  "voteBeforePersist",
];

export type RaftFaults = ReadonlySet<RaftFault>;
export const noRaftFaults: RaftFaults = new Set();
