/**
 * Witness: watches every effect of every peer, and throws at the first that breaks a promise of Raft.
 *
 *   election safety      one leader a term                    one vote a term, also across crashes
 *   log matching         same index and term, same past       leader completeness
 *   state machine safety same index, same entry, no gap       durability: committed is on disks of a quorum
 *   snapshots            are the state at their index         reads see all entries committed before them
 *   two disks            an entry that one voter commits is on a standby's disk too, while one answers
 *
 * It counts majorities on its own and knows nothing of quorum.ts, which it judges.
 */
import type { NodeId } from "@gam/core";
import type { Effect } from "../effect.ts";
import type { Input } from "../input.ts";
import { type Configuration, readConfiguration } from "../log/configuration.ts";
import type { Entry, Restored } from "../log/durable.ts";
import { SecondDisk, type Seen, standbysThatCount } from "./second-disk.ts";
import { StableCopy, type Write } from "./stable-copy.ts";

/** Names the promise that was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}

function hold(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Violation(promise);
}

interface Committed {
  readonly term: number;
  readonly entry: string;
  /** Of the leader that committed it; not sooner than `term`. */
  readonly inTerm: number;
  /** A digest of all data entries so far. */
  readonly state: number;
}

/** Who committed an entry, and the configurations around that step. */
interface Decision {
  readonly inTerm: number;
  readonly by: NodeId;
  readonly before: Configuration;
  readonly after: Configuration;
}

interface Watched {
  life: number;
  /** What the disk has, and what it will have when all writes are done. */
  durable: StableCopy;
  issued: StableCopy;
  waiting: Write[];
  applied: number;
  reads: Map<string, number>;
}

export class Witness {
  readonly #peers = new Map<NodeId, Watched>();
  readonly #leaders = new Map<number, string>();
  readonly #votes = new Map<string, NodeId>();
  /** By index and term: what the entry is, and the term before it. */
  readonly #entries = new Map<string, string>();
  /** By index, from 1 on. */
  readonly #committed: Committed[] = [];
  readonly #secondDisk: SecondDisk;

  /** `patienceTicks`: how long a leader waits for a standby. */
  constructor(patienceTicks: number) {
    this.#secondDisk = new SecondDisk(patienceTicks);
  }

  /** A peer begins its first life. */
  starts(id: NodeId, restored: Restored): void {
    const copy = new StableCopy(restored);
    const applied = restored.snapshot?.index ?? 0;
    this.#peers.set(id, {
      life: 1,
      durable: copy,
      issued: copy.clone(),
      waiting: [],
      applied,
      reads: new Map(),
    });
    this.#note(copy, restored.entries);
    for (const entry of restored.entries) {
      if (entry.index <= restored.hardState.commit) this.#commit(entry, undefined);
    }
  }

  /** A peer loses what is not on its disk, and restarts with the rest. */
  crashes(id: NodeId): Restored {
    const peer = this.#peer(id);
    peer.life += 1;
    peer.waiting = [];
    peer.issued = peer.durable.clone();
    peer.applied = peer.durable.snapshot?.index ?? 0;
    peer.reads.clear();
    this.#secondDisk.forget(id);
    return peer.durable.restored();
  }

  /** The oldest write that is under way is durable. Returns its number. */
  persists(id: NodeId): number {
    const peer = this.#peer(id);
    const write = peer.waiting.shift();
    if (write === undefined) throw new Error(`nothing to persist at ${id}`);
    peer.durable.write(write);
    return write.write;
  }

  asksToRead(id: NodeId, read: string): void {
    this.#peer(id).reads.set(read, this.#committed.length);
  }

  applied(id: NodeId): number {
    return this.#peer(id).applied;
  }

  get committed(): number {
    return this.#committed.length;
  }

  /** The state after the first `index` entries. */
  state(index: number): number {
    return this.#committed[index - 1]?.state ?? 0;
  }

  /** What the peer is about to take, and how it is before it does. */
  takes(id: NodeId, input: Input, seen: Seen): void {
    this.#secondDisk.takes(id, input, seen, this.#peer(id).durable.lastIndex);
  }

  /** `before` and `after` are the configurations of the peer around the step. */
  sees(id: NodeId, effect: Effect, before: Configuration, after: Configuration): void {
    const peer = this.#peer(id);
    switch (effect.kind) {
      case "persist":
        this.#persist(peer, effect);
        break;
      case "role":
        if (effect.role === "leader") this.#lead(id, peer, effect.term);
        break;
      case "send":
        if (effect.message.kind === "vote") this.#vote(id, effect.message.term, id);
        if (effect.message.kind === "voteReply" && effect.message.granted) {
          this.#vote(id, effect.message.term, effect.to);
        }
        break;
      case "install":
        hold(effect.snapshot.index > peer.applied, "a snapshot never takes the state back");
        peer.applied = effect.snapshot.index;
        break;
      case "commit":
        for (const entry of effect.entries) {
          hold(entry.index === peer.applied + 1, "entries are handed out in order, once");
          peer.applied = entry.index;
          this.#commit(entry, { inTerm: peer.issued.hardState.term, by: id, before, after });
        }
        break;
      case "readReady": {
        const floor = peer.reads.get(effect.id);
        hold(floor !== undefined, "a read is answered once");
        hold(peer.applied >= floor, "a read sees what was committed before it");
        peer.reads.delete(effect.id);
        break;
      }
      default:
        break;
    }
  }

  #persist(peer: Watched, write: Write): void {
    const { hardState, snapshot } = write;
    if (hardState !== undefined) {
      hold(hardState.term >= peer.issued.hardState.term, "terms never fall");
    }
    if (snapshot !== undefined) {
      const committed = this.#committed[snapshot.index - 1];
      hold(committed !== undefined, "a snapshot covers committed entries only");
      hold(committed.term === snapshot.term, "a snapshot has the term of its last entry");
      const state = new DataView(snapshot.data.buffer, snapshot.data.byteOffset).getUint32(0);
      hold(committed.state === state, "a snapshot is the state at its index");
    }
    peer.issued.write(write);
    peer.waiting.push(write);
    this.#note(peer.issued, write.entries);
    const { commit } = peer.issued.hardState;
    hold(commit <= peer.issued.lastIndex, "committed never passes the log on disk");
  }

  #note(log: StableCopy, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const key = `${entry.index}/${entry.term}`;
      const seen = `${text(entry)} after ${log.term(entry.index - 1)}`;
      const known = this.#entries.get(key) ?? seen;
      hold(known === seen, `logs match: ${key} is ${known} and ${seen}`);
      this.#entries.set(key, seen);
    }
  }

  #lead(id: NodeId, peer: Watched, term: number): void {
    const name = `${id} in life ${peer.life}`;
    const known = this.#leaders.get(term) ?? name;
    hold(known === name, `one leader a term: ${known} and ${name} in term ${term}`);
    this.#leaders.set(term, name);
    const from = peer.issued.snapshot?.index ?? 0;
    for (const [at, committed] of this.#committed.entries()) {
      const index = at + 1;
      // A leader elected late, by delayed votes, may lack entries of later terms.
      if (index <= from || committed.inTerm >= term) continue;
      const complete = peer.issued.term(index) === committed.term;
      hold(complete, `leaders are complete: ${name} lacks ${index} in term ${term}`);
    }
  }

  #vote(id: NodeId, term: number, candidate: NodeId): void {
    const key = `${id}/${term}`;
    const known = this.#votes.get(key) ?? candidate;
    hold(known === candidate, `one vote a term: ${id} for ${known} and ${candidate} in ${term}`);
    this.#votes.set(key, candidate);
  }

  #commit(entry: Entry, decision: Decision | undefined): void {
    const { index, term } = entry;
    const inTerm = decision?.inTerm ?? term;
    const deciders = decision && [decision.before, decision.after];
    const known = this.#committed[index - 1];
    if (known !== undefined) {
      const same = known.term === term && known.entry === text(entry);
      hold(same, `states agree: ${index} is ${known.entry} and ${text(entry)}`);
      return;
    }
    hold(index === this.#committed.length + 1, "entries are committed in order");
    const durable = deciders?.some((one) => this.#isDurable(entry, one)) ?? true;
    hold(durable, `committed is durable: ${index} is not on the disks of a quorum`);
    const doubled = deciders?.some((one) => this.#isDoubled(entry, one, decision?.by)) ?? true;
    hold(doubled, `two disks: ${index} is on no disk of a standby, and one answers`);
    const before = this.state(index - 1);
    const state = entry.kind === "data" ? (before * 31 + sum(entry.data)) >>> 0 : before;
    this.#committed.push({ term, entry: text(entry), inTerm, state });
  }

  #has(id: NodeId, entry: Entry): boolean {
    const { durable } = this.#peer(id);
    return (
      entry.index <= (durable.snapshot?.index ?? 0) || durable.term(entry.index) === entry.term
    );
  }

  #isDoubled(entry: Entry, configuration: Configuration, by: NodeId | undefined): boolean {
    const asked = standbysThatCount(configuration);
    if (asked.some((id) => this.#has(id, entry))) return true;
    return by === undefined || asked.every((id) => this.#secondDisk.isExcused(by, id));
  }

  #isDurable(entry: Entry, { voters, votersOutgoing }: Configuration): boolean {
    const has = (id: NodeId): boolean => this.#has(id, entry);
    return [voters, votersOutgoing].every(
      (group) => group.length === 0 || 2 * group.filter(has).length > group.length,
    );
  }

  #peer(id: NodeId): Watched {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new Error(`no peer ${id}`);
    return peer;
  }
}

function text({ kind, data }: Entry): string {
  const shown = kind === "configuration" ? JSON.stringify(readConfiguration(data)) : data.join(".");
  return `${kind} ${shown}`;
}

function sum(data: Uint8Array): number {
  return data.reduce((total, byte) => (total * 257 + byte) >>> 0, 7);
}
