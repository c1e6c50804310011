/**
 * Standbys: whose disks a commit waits for where the disk of one voter would be a quorum.
 *
 *   counted --silent or owing for patienceTicks--> excused --has caught up--> counted
 *
 * Decides how far the log is on a second disk, as the leader knows it. A commit waits for one counted
 * standby; while none is counted, the leader goes on alone. Does not decide who is a standby (the
 * configuration) and has no part in elections: it only ever delays commits, so no rule of Raft rests on it.
 *
 * A standby is counted from the moment in which it is named, and under each new leader. It is excused
 * when it was not heard, or when a commit has waited for it, for `patienceTicks`. It is counted again
 * when it has all that the leader had at most `patienceTicks` before.
 */
import type { NodeId } from "@gam/core";
import { type Configuration, isJoint } from "./configuration.ts";

/** What the leader knows of the disk of one standby. */
export interface StandbyDisk {
  /** It has the log up to here. */
  readonly match: number;
  /** When its peer was last heard. */
  readonly heardTick: number;
}

export interface StandbyFacts {
  readonly nowTick: number;
  readonly commit: number;
  readonly lastIndex: number;
  readonly diskOf: (id: NodeId) => StandbyDisk;
}

interface Standby {
  counted: boolean;
  /** An excused one is counted again when it has the log up to here soon enough after `sinceTick`. */
  goal: number;
  sinceTick: number;
}

export class Standbys {
  readonly #patienceTicks: number;
  readonly #standbys = new Map<NodeId, Standby>();
  /** Since when the next commit has waited. */
  #owedTick: number | undefined;

  constructor(patienceTicks: number) {
    this.#patienceTicks = patienceTicks;
  }

  follow(configuration: Configuration): void {
    const { voters, standbys } = configuration;
    // Two voters of a majority have two disks, and so has a joint quorum.
    const named = isJoint(configuration) || voters.length > 1 ? [] : standbys;
    for (const id of this.#standbys.keys()) if (!named.includes(id)) this.#standbys.delete(id);
    for (const id of named) {
      if (!this.#standbys.has(id)) {
        this.#standbys.set(id, { counted: true, goal: 0, sinceTick: 0 });
      }
    }
  }

  /** How much of what the voters have reached is on the disk of a standby, or needs none. */
  backed(reached: number, facts: StandbyFacts): number {
    for (const [id, standby] of this.#standbys) this.#judge(standby, facts.diskOf(id), facts);
    const matches = [...this.#standbys]
      .filter(([, { counted }]) => counted)
      .map(([id]) => facts.diskOf(id).match);
    const best = Math.max(...matches);
    if (matches.length === 0 || best >= reached || reached <= facts.commit) {
      this.#owedTick = undefined;
      return reached;
    }
    if (best > facts.commit) this.#owedTick = facts.nowTick;
    this.#owedTick ??= facts.nowTick;
    if (facts.nowTick - this.#owedTick < this.#patienceTicks) return best;
    this.#owedTick = undefined;
    for (const standby of this.#standbys.values()) {
      if (standby.counted) this.#excuse(standby, facts);
    }
    return reached;
  }

  #judge(standby: Standby, disk: StandbyDisk, facts: StandbyFacts): void {
    const { nowTick, lastIndex } = facts;
    if (nowTick - disk.heardTick >= this.#patienceTicks) {
      if (standby.counted) this.#excuse(standby, facts);
      return;
    }
    if (standby.counted || disk.match < standby.goal) return;
    // Under steady writes it never has all, so a round that was short is enough.
    const short = nowTick - standby.sinceTick < this.#patienceTicks;
    if (short || disk.match >= lastIndex) standby.counted = true;
    else this.#excuse(standby, facts);
  }

  #excuse(standby: Standby, { nowTick, lastIndex }: StandbyFacts): void {
    standby.counted = false;
    standby.goal = lastIndex;
    standby.sinceTick = nowTick;
  }
}
