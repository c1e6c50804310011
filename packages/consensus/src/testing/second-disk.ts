/**
 * SecondDisk: which standbys a commit may lack when one voter's disk decides.
 *
 * A leader may commit without a standby that it has not heard for `patienceTicks`. It may also commit
 * without one whose disk it has waited for so long, until that standby has acknowledged the leader's whole
 * log. Works this out from what reaches the leader, and does not use standbys.ts, which it judges.
 */
import type { NodeId } from "@gam/core";
import type { Input } from "../input.ts";
import type { Configuration } from "../log/configuration.ts";
import type { Raft } from "../raft.ts";

/** The peer before it takes an input. */
export type Seen = Pick<Raft, "role" | "term" | "commitIndex" | "lastIndex" | "configuration">;

interface Led {
  readonly term: number;
  tick: number;
  commit: number;
  /** Since when the commit index has not moved although there are entries after it. */
  waitingTick: number | undefined;
  readonly heard: Map<NodeId, number>;
  readonly acknowledged: Map<NodeId, number>;
  /** Standbys that the leader waited for in vain. */
  readonly slow: Set<NodeId>;
}

const answers = new Set(["appendReply", "appendConflict", "heartbeatReply", "snapshotReply"]);

export class SecondDisk {
  readonly #patienceTicks: number;
  readonly #led = new Map<NodeId, Led>();

  constructor(patienceTicks: number) {
    this.#patienceTicks = patienceTicks;
  }

  /** The peer restarts: drops what it knew. */
  forget(id: NodeId): void {
    this.#led.delete(id);
  }

  /** `ownIndex`: how far the peer's own disk has the log. */
  takes(id: NodeId, input: Input, seen: Seen, ownIndex: number): void {
    if (seen.role !== "leader") {
      this.#led.delete(id);
      return;
    }
    const led = this.#of(id, seen);
    led.heard.set(id, led.tick);
    led.acknowledged.set(id, ownIndex);
    this.#comeBack(led, seen);
    if (input.kind === "tick") led.tick += 1;
    led.heard.set(id, led.tick);
    this.#hear(led, input);
    this.#wait(led, seen);
  }

  /** Whether the leader may commit without this standby. */
  isExcused(leader: NodeId, standby: NodeId): boolean {
    const led = this.#led.get(leader);
    return led !== undefined && (led.slow.has(standby) || this.#isSilent(led, standby));
  }

  #of(id: NodeId, { term, commitIndex, configuration }: Seen): Led {
    const known = this.#led.get(id);
    const led =
      known?.term === term
        ? known
        : {
            term,
            tick: 0,
            commit: commitIndex,
            waitingTick: undefined,
            heard: new Map(),
            acknowledged: new Map(),
            slow: new Set<NodeId>(),
          };
    this.#led.set(id, led);
    const { voters, votersOutgoing, learners } = configuration;
    for (const member of [...voters, ...votersOutgoing, ...learners]) {
      if (!led.heard.has(member)) led.heard.set(member, led.tick);
    }
    return led;
  }

  #hear(led: Led, input: Input): void {
    if (input.kind !== "received" || input.message.term !== led.term) return;
    const { from, message } = input;
    if (answers.has(message.kind)) led.heard.set(from, led.tick);
    if (message.kind !== "appendReply") return;
    led.acknowledged.set(from, Math.max(led.acknowledged.get(from) ?? 0, message.match));
  }

  #isSilent(led: Led, id: NodeId): boolean {
    return led.tick - (led.heard.get(id) ?? 0) >= this.#patienceTicks;
  }

  #comeBack(led: Led, { configuration, lastIndex }: Seen): void {
    const named = standbysThatCount(configuration);
    for (const id of led.slow) {
      const has = (led.acknowledged.get(id) ?? 0) >= lastIndex;
      if (!named.includes(id) || (has && !this.#isSilent(led, id))) led.slow.delete(id);
    }
  }

  #wait(led: Led, { configuration, commitIndex, lastIndex }: Seen): void {
    if (commitIndex !== led.commit || lastIndex === commitIndex) led.waitingTick = undefined;
    led.commit = commitIndex;
    if (lastIndex > commitIndex) led.waitingTick ??= led.tick;
    const waitedTicks = led.tick - (led.waitingTick ?? led.tick);
    if (waitedTicks < this.#patienceTicks) return;
    for (const id of standbysThatCount(configuration)) led.slow.add(id);
  }
}

/** The standbys whose disks count: none unless one voter decides alone. */
export function standbysThatCount(configuration: Configuration): readonly NodeId[] {
  const { voters, votersOutgoing, standbys } = configuration;
  return voters.length === 1 && votersOutgoing.length === 0 ? standbys : [];
}
