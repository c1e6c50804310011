/**
 * Standbys: the disks that a commit also waits for while the disk of one voter is a quorum.
 *
 *   counted --not heard for patienceTicks--> silent --heard again--> counted
 *   counted --a commit waited for patienceTicks--> slow --has caught up--> counted
 *
 * Decides how far the log is on a second disk, as the leader knows it. A commit waits for one counted
 * standby; while none is counted, the leader commits alone. Does not decide who is a standby (the
 * configuration) and has no part in elections. It only delays commits, so no rule of Raft depends on it.
 *
 * A standby is counted as soon as the configuration names it, and again under each new leader. When a wait
 * times out, a standby that was heard meanwhile is slow, and any other is silent. A slow standby has caught
 * up when it has everything that the leader had at most `patienceTicks` before.
 */
import { type NodeId, unreachable } from "@gam/core";
import { type Configuration, isJoint } from "../log/configuration.ts";

/** What the leader knows of the disk of one standby. */
export interface StandbyDisk {
  /** Its last log entry that is known to be on disk. */
  readonly match: number;
  /** When the leader last heard its peer. */
  readonly heardTick: number;
}

export interface StandbyFacts {
  readonly nowTick: number;
  readonly commit: number;
  readonly lastIndex: number;
  readonly diskOf: (id: NodeId) => StandbyDisk;
}

interface Standby {
  state: "counted" | "silent" | "slow";
  /** A slow standby has caught up when it reaches this entry within `patienceTicks` of `sinceTick`. */
  goal: number;
  /** Slow: when `goal` was set. Silent: when it was last heard. */
  sinceTick: number;
}

export class Standbys {
  readonly #patienceTicks: number;
  readonly #standbys = new Map<NodeId, Standby>();
  /** When the next commit began to wait. */
  #owedTick: number | undefined;

  constructor(patienceTicks: number) {
    this.#patienceTicks = patienceTicks;
  }

  follow(configuration: Configuration): void {
    const { voters, standbys } = configuration;
    // A majority of two or more voters has two disks already. So has a joint quorum.
    const named = isJoint(configuration) || voters.length > 1 ? [] : standbys;
    for (const id of this.#standbys.keys()) if (!named.includes(id)) this.#standbys.delete(id);
    for (const id of named) {
      if (!this.#standbys.has(id)) {
        this.#standbys.set(id, { state: "counted", goal: 0, sinceTick: 0 });
      }
    }
  }

  /** Returns: the part of `reached` (what the voter has) that may be committed. */
  backed(reached: number, facts: StandbyFacts): number {
    for (const [id, standby] of this.#standbys) this.#judge(standby, facts.diskOf(id), facts);
    const matches = [...this.#standbys]
      .filter(([, { state }]) => state === "counted")
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
    for (const [id, standby] of this.#standbys) {
      const { heardTick } = facts.diskOf(id);
      if (standby.state !== "counted") continue;
      if (2 * (facts.nowTick - heardTick) < this.#patienceTicks) this.#slow(standby, facts);
      else this.#silent(standby, heardTick);
    }
    return reached;
  }

  #judge(standby: Standby, { match, heardTick }: StandbyDisk, facts: StandbyFacts): void {
    const { nowTick, lastIndex } = facts;
    const isHeard = nowTick - heardTick < this.#patienceTicks;
    switch (standby.state) {
      case "counted":
        if (!isHeard) this.#silent(standby, heardTick);
        return;
      case "silent":
        if (heardTick > standby.sinceTick) standby.state = "counted";
        return;
      case "slow":
        if (!isHeard || match < standby.goal) return;
        // Under steady writes it never has every entry, so a round in time is enough.
        if (match >= lastIndex || nowTick - standby.sinceTick < this.#patienceTicks) {
          standby.state = "counted";
        } else this.#slow(standby, facts);
        return;
      default:
        unreachable(standby.state);
    }
  }

  #silent(standby: Standby, heardTick: number): void {
    standby.state = "silent";
    standby.sinceTick = heardTick;
  }

  #slow(standby: Standby, { nowTick, lastIndex }: StandbyFacts): void {
    standby.state = "slow";
    standby.goal = lastIndex;
    standby.sinceTick = nowTick;
  }
}
