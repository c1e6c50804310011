/**
 * ScriptWorld: some peers that a script drives step by step. Nothing happens without a command:
 * messages wait for "deliver", writes wait for "disk".
 *
 *   start voters=a,b peers=a,b,c   a log that begins with these voters; other peers are blank
 *   tick a 10                      ten ticks of one peer; a stands after 10, b after 12, c after 14, a
 *                                  leader beats every 2 and needs to hear a quorum every 20
 *   deliver a                      messages waiting for a, in order; "from=b" only b's, "kind=vote" only those
 *   drop a                         the same messages, dropped
 *   disk a                         all writes of a that are under way become durable
 *   run                            deliver and write until nothing moves, except at "cut" and "slow" peers
 *   cut a / heal a                 no messages to or from a are carried
 *   slow a / fast a                run does not finish writes of a
 *   crash a                        a loses what is not durable and starts again from the rest
 *   propose a x y, read a r1, transfer a b, compact a 5, reconfigure a voters=… learners=… standbys=…
 *   state                          one line for each peer
 *
 * Effects are shown as they come. Run shows no messages and no writes.
 */
import type { NodeId } from "@gam/core";
import type { Command } from "@gam/core/testing";
import type { Effect } from "../effect.ts";
import type { Input } from "../input.ts";
import { type Configuration, writeConfiguration } from "../log/configuration.ts";
import { blank, type Entry, type Restored } from "../log/durable.ts";
import type { RaftFault } from "../log/fault.ts";
import type { Message } from "../log/message.ts";
import { Raft } from "../raft.ts";
import { StableCopy } from "./stable-copy.ts";
import { Violation, Witness } from "./witness.ts";

interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

interface Peer {
  raft: Raft;
  writes: number;
  /** The entries of its log, to show them. */
  log: StableCopy;
}

const config = { heartbeatTicks: 2, electionTicksMin: 10, electionTicksMax: 20 };

export class ScriptWorld {
  readonly #peers = new Map<NodeId, Peer>();
  readonly #cut = new Set<NodeId>();
  readonly #slow = new Set<NodeId>();
  #witness = new Witness(config.electionTicksMax);
  #faults = new Set<RaftFault>();
  #trailing = 0;
  #appendBytesMax = 1_024;
  #order: NodeId[] = [];
  #flying: Packet[] = [];
  #lines: string[] = [];
  #terse = false;

  run(command: Command): string {
    this.#lines = [];
    this.#terse = command.verb === "run";
    try {
      this.#perform(command);
    } catch (thrown) {
      if (!(thrown instanceof Violation)) throw thrown;
      this.#lines.push(`BROKEN ${thrown.message}`);
    }
    return this.#lines.join("\n") || "nothing";
  }

  #perform({ verb, words, options }: Command): void {
    const [first = "", ...rest] = words;
    const id = first as NodeId;
    switch (verb) {
      case "start":
        this.#start(options);
        break;
      case "tick":
        for (let n = Number(rest[0]); n > 0; n -= 1) this.#step(id, { kind: "tick" });
        break;
      case "deliver":
        for (const packet of this.#take(id, options)) this.#receive(packet);
        break;
      case "drop":
        for (const { from, to, message } of this.#take(id, options)) {
          this.#lines.push(`dropped ${from} -> ${to} ${showMessage(message)}`);
        }
        break;
      case "disk":
        this.#finishWrites(id);
        break;
      case "run":
        this.#runUntilQuiet();
        break;
      case "cut":
        this.#cut.add(id);
        break;
      case "heal":
        this.#cut.delete(id);
        break;
      case "slow":
        this.#slow.add(id);
        break;
      case "fast":
        this.#slow.delete(id);
        break;
      case "crash":
        this.#begin(id, this.#witness.crashes(id));
        this.#flying = this.#flying.filter((packet) => packet.to !== id);
        break;
      case "propose":
        this.#step(id, { kind: "propose", data: rest.map((word) => Buffer.from(word)) });
        break;
      case "read":
        this.#witness.asksToRead(id, rest[0] ?? "");
        this.#step(id, { kind: "read", id: rest[0] ?? "" });
        break;
      case "transfer":
        this.#step(id, { kind: "transfer", to: rest[0] as NodeId });
        break;
      case "compact":
        this.#compact(id, Number(rest[0]));
        break;
      case "reconfigure": {
        const voters = options.list("voters") as NodeId[];
        const learners = options.list("learners") as NodeId[];
        const standbys = (options.has("standbys") ? options.list("standbys") : []) as NodeId[];
        this.#step(id, { kind: "reconfigure", voters, learners, standbys });
        break;
      }
      case "state":
        for (const [name, peer] of this.#peers) this.#lines.push(showPeer(name, peer));
        break;
      default:
        throw new Error(`Cannot run "${verb}": no such command`);
    }
  }

  #start(options: Command["options"]): void {
    const voters = options.list("voters") as NodeId[];
    const data = writeConfiguration({ voters, votersOutgoing: [], learners: [], standbys: [] });
    const first: Restored = {
      hardState: { term: 1, votedFor: undefined, commit: 1 },
      snapshot: undefined,
      entries: [{ index: 1, term: 1, kind: "configuration", data }],
    };
    this.#witness = new Witness(config.electionTicksMax);
    if (options.has("faults")) this.#faults = new Set(options.list("faults") as RaftFault[]);
    if (options.has("trailing")) this.#trailing = options.number("trailing");
    if (options.has("appendBytesMax")) this.#appendBytesMax = options.number("appendBytesMax");
    this.#order = options.list("peers") as NodeId[];
    for (const id of this.#order) {
      const restored = voters.includes(id) ? first : blank;
      this.#witness.starts(id, restored);
      this.#begin(id, restored);
    }
  }

  #begin(id: NodeId, restored: Restored): void {
    const limits = {
      snapshotChunkBytes: 8,
      trailingEntries: this.#trailing,
      appendBytesMax: this.#appendBytesMax,
    };
    const patience = { below: () => 2 * this.#order.indexOf(id) };
    const raft = new Raft({ self: id, ...config, limits }, restored, patience, this.#faults);
    this.#peers.set(id, { raft, writes: 0, log: new StableCopy(restored) });
  }

  #take(to: NodeId, options: Command["options"]): Packet[] {
    const wanted = (packet: Packet): boolean =>
      packet.to === to &&
      (!options.has("from") || packet.from === options.string("from")) &&
      (!options.has("kind") || packet.message.kind === options.string("kind"));
    const taken = this.#flying.filter(wanted);
    this.#flying = this.#flying.filter((packet) => !wanted(packet));
    return taken;
  }

  #runUntilQuiet(): void {
    for (let rounds = 0; rounds < 200; rounds += 1) {
      const flying = this.#flying;
      this.#flying = [];
      let moved = flying.length > 0;
      for (const packet of flying) this.#receive(packet);
      for (const [id, peer] of this.#peers) {
        if (peer.writes === 0 || this.#slow.has(id)) continue;
        moved = true;
        this.#finishWrites(id);
      }
      if (!moved) return;
    }
    throw new Error("the peers never stop talking");
  }

  #receive({ from, to, message }: Packet): void {
    this.#step(to, { kind: "received", from, message });
  }

  #finishWrites(id: NodeId): void {
    const peer = this.#peer(id);
    for (; peer.writes > 0; peer.writes -= 1) {
      this.#step(id, { kind: "persisted", write: this.#witness.persists(id) });
    }
  }

  #compact(id: NodeId, index: number): void {
    const data = new Uint8Array(20);
    new DataView(data.buffer).setUint32(0, this.#witness.state(index));
    this.#step(id, { kind: "compact", index, data });
  }

  #step(id: NodeId, input: Input): void {
    const peer = this.#peer(id);
    const before = peer.raft.configuration;
    this.#witness.takes(id, input, peer.raft);
    const effects = peer.raft.step(input);
    for (const effect of effects) {
      const isTraffic = effect.kind === "send" || effect.kind === "persist";
      if (!this.#terse || !isTraffic) this.#lines.push(`${id} ${showEffect(effect)}`);
      if (effect.kind === "persist") {
        peer.writes += 1;
        peer.log.write(effect);
      }
      if (effect.kind === "send" && !this.#cut.has(id) && !this.#cut.has(effect.to)) {
        this.#flying.push({ from: id, to: effect.to, message: effect.message });
      }
    }
    for (const effect of effects) {
      this.#witness.sees(id, effect, before, peer.raft.configuration);
    }
  }

  #peer(id: NodeId): Peer {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new Error(`no peer "${id}"`);
    return peer;
  }
}

function showPeer(id: NodeId, { raft, log }: Peer): string {
  const terms = log.entries.map((entry) => entry.term).join(" ");
  const { snapshot } = log;
  const start = snapshot === undefined ? "" : `snapshot ${snapshot.index}/${snapshot.term} `;
  const leads = raft.leader === undefined ? "" : ` of ${raft.leader}`;
  const { role, term, commitIndex } = raft;
  return `${id} ${role}${leads} term ${term} commit ${commitIndex} log ${start}[${terms}]`;
}

function showConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, standbys } = configuration;
  const outgoing = votersOutgoing.length > 0 ? ` and ${votersOutgoing.join(",")}` : "";
  const learning = learners.length > 0 ? `; ${learners.join(",")}` : "";
  const standing = standbys.length > 0 ? `; standby ${standbys.join(",")}` : "";
  return `(${voters.join(",")}${outgoing}${learning}${standing})`;
}

function showEntries(entries: readonly Entry[]): string {
  const shown = entries.map(({ index, term, kind, data }) =>
    kind === "data" ? `${index}/${term}:${Buffer.from(data)}` : `${index}/${term}:${kind}`,
  );
  return `[${shown.join(" ")}]`;
}

function showEffect(effect: Effect): string {
  switch (effect.kind) {
    case "send":
      return `-> ${effect.to} ${showMessage(effect.message)}`;
    case "persist": {
      const { hardState, entries, snapshot } = effect;
      const vote = hardState?.votedFor === undefined ? "" : ` vote ${hardState.votedFor}`;
      const state = hardState === undefined ? "" : ` term ${hardState.term}${vote}`;
      const copy = snapshot === undefined ? "" : ` snapshot ${snapshot.index}/${snapshot.term}`;
      return `persists${state}${copy}${entries.length > 0 ? ` ${showEntries(entries)}` : ""}`;
    }
    case "role": {
      const of = effect.leader === undefined ? "" : ` of ${effect.leader}`;
      return `is ${effect.role}${of} in term ${effect.term}`;
    }
    case "commit":
      return `commits ${showEntries(effect.entries)}`;
    case "install":
      return `installs ${effect.snapshot.index}/${effect.snapshot.term}`;
    case "configuration":
      return `has configuration ${showConfiguration(effect.configuration)}`;
    case "proposed":
      return `proposes ${effect.firstIndex}..${effect.lastIndex} in term ${effect.term}`;
    case "refused":
      return `refuses: ${effect.reason}`;
    case "ignored":
      return `ignores ${effect.message} ${effect.term} of ${effect.from}: ${effect.reason}`;
    default:
      return `${effect.kind} ${effect.id}`;
  }
}

function showMessage(message: Message): string {
  const { kind, term } = message;
  switch (message.kind) {
    case "preVote":
    case "vote":
      return `${kind} ${term} last ${message.lastIndex}/${message.lastTerm}`;
    case "preVoteReply":
    case "voteReply":
      return `${kind} ${term} ${message.granted ? "yes" : "no"}`;
    case "append": {
      const { previousIndex, previousTerm, commit, entries } = message;
      return `append ${term} after ${previousIndex}/${previousTerm} ${showEntries(entries)} commit ${commit}`;
    }
    case "appendReply":
      return `appendReply ${term} match ${message.match}`;
    case "appendConflict":
      return `appendConflict ${term} at ${message.previousIndex}, agreeable ${message.hintIndex}/${message.hintTerm}`;
    case "snapshotChunk":
      return `snapshotChunk ${term} of ${message.index}/${message.indexTerm}, ${message.offset} + ${message.data.length} of ${message.totalBytes} bytes`;
    case "snapshotReply":
      return `snapshotReply ${term} of ${message.index}, has ${message.offset} bytes`;
    case "commit":
      return `commit ${term} up to ${message.index}/${message.indexTerm}`;
    case "heartbeat":
      return `heartbeat ${term} round ${message.round}`;
    case "heartbeatReply":
      return `heartbeatReply ${term} round ${message.round}`;
    case "readRequest":
      return `readRequest ${term} ${message.id}`;
    case "readReply":
      return `readReply ${term} ${message.id} at ${message.index}`;
    case "standNow":
      return `standNow ${term}`;
  }
}
