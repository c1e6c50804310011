/**
 * May recover: whether this peer may continue alone, judged by its own log and by the other peers' answers.
 *
 * Refuses where the cluster can continue by itself, or where this peer's part in it is over. Gives doubts where
 * another survivor has more, or where a majority answers but elects no leader: then a person has to insist.
 */
import { type Check, check, type NodeId } from "@gam/core";
import { checkLife, type Life, relationOf } from "../journal/life.ts";

/** A majority that answers elects a leader within seconds. If it has not after this time, it never will. */
const patienceMs = 60_000;

const rejoin =
  'move the data directory of this host away, then run "gam join TOKEN": the other hosts have all its data';

/** What a peer reports about its log. */
export interface LogPlace {
  readonly life: Life;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** It leads, or hears a leader. */
  readonly isLed: boolean;
  /** Its journal is damaged: it takes no part, and its vote does not count. */
  readonly isMute: boolean;
}

/** Errors: BAD_FRAME. */
export const checkLogPlace: Check<LogPlace> = check.object({
  life: checkLife,
  lastIndex: check.integer(),
  lastTerm: check.integer(),
  isLed: check.boolean,
  isMute: check.boolean,
});

export interface RecoverFacts {
  readonly self: NodeId;
  readonly own: LogPlace;
  /** How long this peer has heard no leader. */
  readonly leaderlessMs: number;
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  /** The answers of other peers. */
  readonly answers: ReadonlyMap<NodeId, LogPlace>;
  /** It has a state in which it is a node. */
  readonly hasState: boolean;
  /** It is a manager in that state. Other peers do not follow a worker, and a worker can admit no member. */
  readonly isManager: boolean;
  readonly nameOf: (id: NodeId) => string;
}

export interface RecoverVerdict {
  /** Why the peer must not recover; undefined where it may. */
  readonly refusal: string | undefined;
  /** Why a person has to insist on it. */
  readonly doubts: readonly string[];
}

export function mayRecover(facts: RecoverFacts): RecoverVerdict {
  const refusal = refusalOf(facts);
  return { refusal, doubts: refusal === undefined ? doubtsOf(facts) : [] };
}

function refusalOf(facts: RecoverFacts): string | undefined {
  const { own, answers, nameOf } = facts;
  if (own.isLed) return "there is a leader, so there is nothing to recover from";
  if (!facts.hasState)
    return "this host has no copy of the cluster's state; run it on a host with a copy";
  if (!facts.isManager) return "this host is a worker; run it on a manager that has survived";
  for (const [id, { life, isLed }] of answers) {
    const relation = relationOf(own.life, life);
    if (relation === "behind") {
      return `${nameOf(id)} is already in a later life of the cluster; this host follows it by itself`;
    }
    if (relation === "same" && isLed)
      return `${nameOf(id)} hears a leader; ${own.isMute ? rejoin : "this host finds it by itself"}`;
  }
  const { answering, needed } = quorumOf(facts);
  if (answering >= needed && facts.leaderlessMs < patienceMs) {
    const seconds = Math.ceil((patienceMs - facts.leaderlessMs) / 1000);
    return `a majority of the voters answers and elects a leader by itself; ask again in ${seconds} s if it has not`;
  }
  return undefined;
}

function doubtsOf(facts: RecoverFacts): string[] {
  const { own, answers, nameOf } = facts;
  const ahead = [...answers].filter(([, place]) => isAhead(place, own));
  const doubts = ahead.map(
    ([id]) => `${nameOf(id)} has more of the log than this host: run it there`,
  );
  const { answering, needed, voters } = quorumOf(facts);
  if (answering >= needed) {
    doubts.push(
      `${answering} of ${voters} voters answer, which is a majority: read their logs first to see why they elect no leader`,
    );
  }
  return doubts;
}

/** Compares logs as an election does: whose log holds more that may have been acknowledged. */
function isAhead(other: LogPlace, own: LogPlace): boolean {
  if (relationOf(own.life, other.life) !== "same") return false;
  if (other.lastTerm !== own.lastTerm) return other.lastTerm > own.lastTerm;
  return other.lastIndex > own.lastIndex;
}

/**
 * Counts the answers of voters. While the voters change there are two sets; returns the set that lacks more.
 */
function quorumOf({ self, own, voters, votersOutgoing, answers }: RecoverFacts): {
  readonly voters: number;
  readonly answering: number;
  readonly needed: number;
} {
  const counted = (set: readonly NodeId[]) => {
    const answering = set.filter((id) => {
      const place = id === self ? own : answers.get(id);
      return place !== undefined && !place.isMute && relationOf(own.life, place.life) === "same";
    });
    const needed = Math.floor(set.length / 2) + 1;
    return { voters: set.length, answering: answering.length, needed };
  };
  const [now, before] = [counted(voters), counted(votersOutgoing)];
  const isShort =
    before.voters > 0 && before.answering - before.needed < now.answering - now.needed;
  return isShort ? before : now;
}
