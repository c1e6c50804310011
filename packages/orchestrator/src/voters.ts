/**
 * Voters: which peers should vote, which stand by, and which only learn.
 *
 * One votes of up to two managers, three of three or four, five of five or more. A vote needs an agent that
 * answers and a log that is caught up. A silent voter keeps its vote for a while, unless another manager can
 * take it over at once. Two of three voters still work, and if one of them is lost later, the silent third
 * may be back by then. A set of five drops silent voters earlier, when only three answer: one more loss would
 * stop it, while a set of three can lose one more.
 *
 * While one manager votes alone, the other managers are standbys: a commit waits for the disk of one.
 *
 * Does not decide how the change is made. The quorum of the old set commits each step, so a minority's view
 * has no effect. Planned again after it is applied, it returns `undefined`.
 * docs/decisions/0012 says what each set survives.
 */
import type { NodeId } from "@gam/core";
import type { Node } from "@gam/state";

/** The members by their part in consensus. */
export interface Seats {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Learners whose disks count while one peer votes alone. */
  readonly standbys: readonly NodeId[];
}

/** The present configuration of consensus. */
export interface Voting extends Seats {
  /** Not empty while a change is under way. */
  readonly votersOutgoing: readonly NodeId[];
}

export interface VotersFacts {
  readonly configuration: Voting;
  /** The leader, who plans. */
  readonly self: NodeId;
  /** All members. */
  readonly nodes: readonly Node[];
  /** Whether its agent answers the leader. */
  readonly answers: (id: NodeId) => boolean;
  /** Whether it answers, and has the log up to a short while ago. */
  readonly fit: (id: NodeId) => boolean;
  /** False once it has been unfit for long. */
  readonly keepsVote: (id: NodeId) => boolean;
  /** The most voters; an even number counts as the odd one below it. */
  readonly votersMax: number;
}

const zoneLabel = "gam.zone";
/** The smallest set that survives a loss. */
const safeSize = 3;

/** Returns: `undefined` when nothing has to change, a change is under way, or no quorum could commit a change. */
export function planVoters(facts: VotersFacts): Seats | undefined {
  const { configuration, nodes, self } = facts;
  const { votersOutgoing } = configuration;
  if (votersOutgoing.length > 0) return undefined;
  const carrying = configuration.voters.filter((id) => id === self || facts.answers(id));
  if (carrying.length < majority(configuration.voters.length)) return undefined;
  const voters = chosen(facts).sort();
  if (voters.length === 0) return undefined;
  const votes = new Set(voters);
  const learners = nodes.map(({ ID }) => ID).filter((id) => !votes.has(id));
  const standbys = voters.length > 1 ? [] : standingBy(facts, voters);
  const unchanged =
    isSame(voters, configuration.voters) &&
    isSame(learners, configuration.learners) &&
    isSame(standbys, configuration.standbys);
  return unchanged ? undefined : { voters, learners: learners.sort(), standbys: standbys.sort() };
}

function chosen(facts: VotersFacts): NodeId[] {
  const { configuration, self, nodes, answers, keepsVote, votersMax } = facts;
  const managers = nodes.filter(isManager);
  const fit = managers.filter(({ ID }) => ID === self || facts.fit(ID));
  const voting = managers.filter(({ ID }) => configuration.voters.includes(ID));
  const isFit = new Set(fit);
  const unfit = voting.filter((node) => !isFit.has(node));
  // In this order. The leader first, so that a single voter is the leader.
  const classes = [
    fit.filter(({ ID }) => ID === self),
    fit.filter((node) => node.ID !== self && voting.includes(node)),
    fit.filter((node) => node.ID !== self && !voting.includes(node)),
  ];
  // Unfit voters fill empty seats, since a smaller set survives less. The likeliest to come back go first.
  const rest = [
    ...unfit.filter(({ ID }) => answers(ID)),
    ...unfit.filter(({ ID }) => !answers(ID) && keepsVote(ID)),
    ...unfit.filter(({ ID }) => !answers(ID) && !keepsVote(ID)),
  ];
  const present = managers.filter(
    (node) => isFit.has(node) || answers(node.ID) || (voting.includes(node) && keepsVote(node.ID)),
  );
  for (let size = sizeFor(present.length, votersMax); size > 1; size -= 2) {
    const seats = [...pick(classes, size), ...rest].slice(0, size);
    const taken = seats.slice(0, oddUpTo(seats.length));
    const isLarge = size > safeSize;
    const able = taken.filter((node) => isFit.has(node) || (!isLarge && answers(node.ID)));
    // Five voters that could not lose one more make room for three that can.
    if (able.length >= majority(taken.length) + Number(isLarge)) return taken.map(({ ID }) => ID);
  }
  return pick(classes, 1).map(({ ID }) => ID);
}

/**
 * Managers without a vote that have the log; former voters have it. Silent managers count too: consensus
 * does not wait for them, and waits again when they are back.
 */
function standingBy(facts: VotersFacts, voters: readonly NodeId[]): NodeId[] {
  const { configuration, nodes, fit } = facts;
  const standing = new Set(configuration.standbys);
  return nodes
    .filter((node) => isManager(node) && !voters.includes(node.ID))
    .map(({ ID }) => ID)
    .filter((id) => configuration.voters.includes(id) || standing.has(id) || fit(id));
}

function isManager({ Spec }: Node): boolean {
  return Spec.Role === "manager";
}

/** How many voters so many managers should have. */
function sizeFor(managers: number, votersMax: number): number {
  const wanted = managers >= 5 ? 5 : managers >= safeSize ? safeSize : 1;
  return oddUpTo(Math.min(wanted, Math.max(1, votersMax)));
}

function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

function oddUpTo(count: number): number {
  return count % 2 === 0 ? Math.max(0, count - 1) : count;
}

/** Picks class by class, within a class from the zone with the fewest picked so far. */
function pick(classes: readonly (readonly Node[])[], count: number): Node[] {
  const picked: Node[] = [];
  const inZone = new Map<string, number>();
  const zoneOf = (node: Node): string => node.Spec.Labels[zoneLabel] ?? "";
  for (const nodes of classes) {
    if (picked.length >= count) break;
    const left = nodes.toSorted((a, b) => (a.ID < b.ID ? -1 : 1));
    while (left.length > 0 && picked.length < count) {
      let best = 0;
      for (const [at, node] of left.entries()) {
        const has = inZone.get(zoneOf(node)) ?? 0;
        if (has < (inZone.get(zoneOf(left[best] as Node)) ?? 0)) best = at;
      }
      const [node] = left.splice(best, 1);
      if (node === undefined) break;
      picked.push(node);
      inZone.set(zoneOf(node), (inZone.get(zoneOf(node)) ?? 0) + 1);
    }
  }
  return picked;
}

/** Whether both have the same ids, in any order. Does not sort a thousand ids each time. Shape: no id repeats. */
function isSame(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  if (a.length !== b.length) return false;
  const ids = new Set(b);
  return a.every((id) => ids.has(id));
}
