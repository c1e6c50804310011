/**
 * Voters: which peers should vote, and which only learn.
 *
 * As many as survive what can be survived: 1 of up to two hosts, 3 from three on, 5 from seven on. Only
 * managers that answer are taken, those that vote already before others, others only when they have
 * caught up, spread over zones. A set that still works is not made smaller because a host fewer is
 * there: it shrinks when it could not be filled any more. Whoever is a member and no voter learns.
 *
 * Decides nothing about how the change is made: each step is committed by the quorum of the set before
 * it, so what a minority believes has no effect. Applied and planned again it returns `undefined`.
 */
import type { NodeId } from "@gam/core";
import type { Node } from "@gam/state";

/** As consensus has it. */
export interface Voting {
  readonly voters: readonly NodeId[];
  /** Not empty while a change is under way. */
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

export interface VotersFacts {
  readonly configuration: Voting;
  /** The leader, who plans. */
  readonly self: NodeId;
  /** All members. */
  readonly nodes: readonly Node[];
  readonly alive: (id: NodeId) => boolean;
  /** It has the log up to a short while ago. */
  readonly caughtUp: (id: NodeId) => boolean;
  /** Voters at most; an even number counts as the odd one below it. */
  readonly votersMax: number;
}

const zoneLabel = "gam.zone";

/** `undefined` when nothing is to be changed, or a change is under way. */
export function planVoters(
  facts: VotersFacts,
): { readonly voters: readonly NodeId[]; readonly learners: readonly NodeId[] } | undefined {
  const { configuration, nodes } = facts;
  if (configuration.votersOutgoing.length > 0) return undefined;
  const voters = chosen(facts).sort();
  if (voters.length === 0) return undefined;
  const learners = nodes
    .map(({ ID }) => ID)
    .filter((id) => !voters.includes(id))
    .sort();
  const same =
    equal(voters, configuration.voters.toSorted()) &&
    equal(learners, configuration.learners.toSorted());
  return same ? undefined : { voters, learners };
}

function chosen({ configuration, self, nodes, alive, caughtUp, votersMax }: VotersFacts): NodeId[] {
  const managers = nodes.filter(({ Spec }) => Spec.Role === "manager");
  const answering = managers.filter(({ ID }) => ID === self || alive(ID));
  const voting = managers.filter(({ ID }) => configuration.voters.includes(ID));
  const ready = answering.filter(
    ({ ID }) => ID === self || configuration.voters.includes(ID) || caughtUp(ID),
  );
  const size = sizeFor(answering.length, configuration.voters.length, votersMax);
  // In this order. The leader first, so that the last voter left is the one that knows it is.
  const classes = [
    ready.filter(({ ID }) => ID === self),
    ready.filter((node) => node.ID !== self && voting.includes(node)),
    ready.filter((node) => node.ID !== self && !voting.includes(node)),
  ];
  const picked = pick(classes, oddUpTo(Math.min(size, ready.length)));
  if (picked.length >= Math.min(size, 3)) return picked.map(({ ID }) => ID);
  // Too few for a set that survives anything. A silent voter keeps its place until somebody has caught
  // up, as long as those that answer are the majority.
  const silent = voting.filter((node) => !answering.includes(node));
  const answeringVoters = ready.filter((node) => voting.includes(node) || node.ID === self);
  const filled = [...answeringVoters, ...silent].slice(0, oddUpTo(size));
  const enough = filled.length % 2 === 1 && answeringVoters.length > filled.length / 2;
  return (enough && filled.length > picked.length ? filled : picked).map(({ ID }) => ID);
}

/** How many there should be, before anybody asks who. */
function sizeFor(answering: number, voting: number, votersMax: number): number {
  const wanted = answering >= 7 ? 5 : answering >= 3 ? 3 : 1;
  // A host that comes and goes must not move the set back and forth.
  const kept = wanted < voting && answering >= voting ? voting : wanted;
  return oddUpTo(Math.min(kept, Math.max(1, votersMax)));
}

function oddUpTo(count: number): number {
  return count % 2 === 0 ? Math.max(0, count - 1) : count;
}

/** Class by class, and within one from the zone that has the fewest picked so far. */
function pick(classes: readonly (readonly Node[])[], count: number): Node[] {
  const picked: Node[] = [];
  const inZone = new Map<string, number>();
  const zoneOf = (node: Node): string => node.Spec.Labels[zoneLabel] ?? "";
  for (const nodes of classes) {
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

function equal(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
