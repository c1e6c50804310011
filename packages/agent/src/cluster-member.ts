/**
 * Cluster member: this agent's life as a member, from init, join or restart until leave or removal.
 *
 * Joins mesh, disk, engine and peer, and takes them apart again. Decides only what nobody else can:
 * in which order a membership is made and ended, so that a crash in between leaves either a member or
 * none.
 */

import { randomBytes, randomInt } from "node:crypto";
import {
  assert,
  base36,
  base64,
  GamError,
  type Mint,
  type NetworkId,
  type Random,
} from "@gam/core";
import { type Credentials, createCluster, type Mesh, type Wanted } from "@gam/mesh";
import { bootstrapJournal, journalRemedy, Peer, type Recovered, salvaged } from "@gam/peer";
import { DockerEngine } from "@gam/runtime";
import {
  type AskedChange,
  type Availability,
  type ClusterSpec,
  type DataPath,
  type NodeSpec,
  newIngressNetwork,
  planNetwork,
  spokenDialect,
  type View,
} from "@gam/state";
import { Disk } from "./disk/disk.ts";
import { journalOf, removeJournal } from "./disk/member-journal.ts";
import { prepareDisk } from "./disk/prepare-disk.ts";
import { Driver } from "./driver.ts";
import { Examiner } from "./examiner.ts";
import type { Keeper } from "./keeper.ts";
import { removeLeftovers } from "./leftovers.ts";
import { type MeshAddresses, type MeshDoorParts, meshOf } from "./mesh-door.ts";
import { Networking } from "./networking.ts";
import { RemoteLogs } from "./remote-logs.ts";
import { Survivor } from "./survivor.ts";
import { ClusterKeys } from "./trust/cluster-keys.ts";
import { newNode } from "./trust/join-request.ts";
import { makeTokens } from "./trust/join-tokens.ts";

/** A restart reads at most so many entries behind the snapshot: a second's work. */
const logEntriesMax = 8192;
/** A new member has to see itself in the state within this, or joining has failed. */
const arriveMs = 30_000;
/** A leaving voter waits so long for others to vote in its place. */
const handOverMs = 15_000;
const pollMs = 50;

export interface ClusterMemberParts extends MeshDoorParts {
  /** This peer is no member any more. Called once at most. */
  readonly removed: () => void;
  /** Another life of the cluster is on the disk, and this peer does nothing any more. */
  readonly reborn: () => void;
}

interface ResumeOptions {
  readonly addresses: MeshAddresses;
  readonly credentials: Credentials;
  /** Start from the records of the journal before the first broken one, and only listen until "gam recover". */
  readonly salvage?: boolean;
}

interface InitOptions {
  readonly addresses: MeshAddresses;
  readonly spec: ClusterSpec;
  readonly availability: Availability;
  readonly dataPath: DataPath;
}

interface JoinOptions {
  readonly addresses: MeshAddresses;
  readonly token: string;
  /** `host:port` of members, asked before those in the token. */
  readonly contacts: readonly string[];
  readonly availability: Availability;
}

export const mint: Mint = { id: () => base36(randomBytes(17)) };
const random: Random = { below: (bound) => randomInt(bound) };

export class ClusterMember {
  readonly mesh: Mesh;
  readonly peer: Peer;
  readonly driver: Driver;
  readonly examiner: Examiner;
  readonly logs: RemoteLogs;
  readonly survivor: Survivor;
  readonly keys: ClusterKeys;
  /** Its journal is spoilt: it takes no part, and waits for "gam recover". */
  readonly isMute: boolean;
  readonly #parts: ClusterMemberParts;
  readonly #disk: Disk;
  readonly #engine: DockerEngine;
  readonly #networking: Networking;
  readonly #keeper: Keeper;

  private constructor(
    parts: ClusterMemberParts,
    { mesh, made, contacts }: { mesh: Mesh; made: Made; contacts: readonly Wanted[] },
  ) {
    const { config, identity, log, fail } = parts;
    const { disk, recovered, engine, networking } = made;
    this.#parts = parts;
    this.mesh = mesh;
    this.#disk = disk;
    this.#engine = engine;
    this.#networking = networking;
    this.#keeper = made.keeper;
    this.isMute = made.isMute ?? false;
    const { votersMax, voteSilenceMs } = config;
    this.peer = new Peer({
      config: {
        ...{ self: identity.nodeId, votersMax, voteSilenceMs, logEntriesMax },
        isMute: this.isMute,
      },
      ...{ recovered, random, mint },
    });
    this.driver = new Driver({
      peer: this.peer,
      mesh,
      disk,
      engine,
      networking,
      log,
      fail,
      removed: parts.removed,
      reborn: parts.reborn,
      contacts,
      root: () => made.keeper.root,
    });
    this.examiner = new Examiner({
      self: identity.nodeId,
      mesh,
      view: () => this.view,
      plan: () => networking.plan,
      quorum: () => ({
        leaderlessMs: this.peer.leaderlessMs,
        voters: this.peer.raft.configuration.voters,
        rivals: this.peer.lives.rivals.map(({ peer }) => peer),
      }),
      problems: () => networking.problems,
      heard: () => networking.heard(),
      engine: config.engine,
    });
    this.survivor = new Survivor({
      peer: this.peer,
      isMute: this.isMute,
      mesh,
      mint: mint.id,
      recover: (id, gone) => this.driver.recover(id, gone),
    });
    this.keys = new ClusterKeys({
      ...{ mesh, self: identity.nodeId, view: () => this.view },
      propose: (changes) => this.propose(changes),
    });
    mesh.onTurnedAway((by, refusal) => {
      // It was removed while it was away. Only a manager's word counts, and the mesh knows whose it is.
      const manager = this.view.node(by)?.Spec.Role === "manager";
      if (refusal === "removed" && manager) parts.removed();
    });
    this.driver.subscribe(({ table }) => {
      if (table === "cluster") mesh.rootsMoved();
    });
    this.logs = new RemoteLogs({ self: identity.nodeId, mesh, engine, view: () => this.view, log });
    this.driver.start();
    void this.driver.fresh().then(() => {
      this.keys.fresh();
      mesh.rootsMoved();
    });
  }

  /**
   * Goes on as the member that the credentials say. With `salvage` from what is whole in the journal, and
   * without taking part. Errors: CORRUPT_FILE, IN_USE.
   */
  static async resume(
    parts: ClusterMemberParts,
    { addresses, credentials, salvage = false }: ResumeOptions,
  ): Promise<ClusterMember> {
    const { disk, recovered } = await Disk.open(journalOf(parts.config.dataDir), salvage);
    const { snapshot, entries } = recovered.restored;
    // One that dropped its log for another life of the cluster knows where to find the others.
    const contacts = recovered.journal.contacts.map((contact) => ({
      nodeId: contact.id,
      addresses: contact.addresses,
    }));
    if (snapshot === undefined && entries.length === 0 && contacts.length === 0) {
      throw new GamError(
        "CORRUPT_FILE",
        `Cannot go on as a member: the journal "${journalOf(parts.config.dataDir)}" is empty. ${journalRemedy}`,
      );
    }
    const { open, keeper } = meshOf(parts, addresses, credentials);
    const usable = salvage ? salvaged(recovered, parts.identity.nodeId) : recovered;
    const made = await make(parts, { keeper, disk, recovered: usable, isMute: salvage });
    return await open(credentials, (mesh) => new ClusterMember(parts, { mesh, made, contacts }));
  }

  /** A new cluster, whose first member this is. */
  static async init(
    parts: ClusterMemberParts,
    { addresses, spec, availability, dataPath }: InitOptions,
  ): Promise<ClusterMember> {
    const { identity, config } = parts;
    const credentials = createCluster(identity, Date.now());
    await removeJournal(config.dataDir);
    const { disk } = await Disk.open(journalOf(config.dataDir));
    const recovered = bootstrapJournal(identity.nodeId);
    const { open, keeper } = meshOf(parts, addresses);
    const made = await make(parts, { keeper, disk, recovered });
    const cluster = await open(
      credentials,
      (mesh) => new ClusterMember(parts, { mesh, made, contacts: [] }),
    );
    const changes: AskedChange[] = [
      {
        kind: "createCluster",
        cluster: {
          ID: credentials.clusterId,
          Spec: spec,
          Tokens: makeTokens(credentials),
          RootPublicKey: base64(credentials.rootPublicKey),
          ...dataPath,
        },
      },
      {
        kind: "joinNode",
        node: newNode({
          ...{ id: identity.nodeId, role: "manager", availability },
          ...{ addresses: cluster.mesh.addresses(), dialect: spokenDialect.newest },
        }),
      },
      { kind: "createNetwork", network: newIngressNetwork(mint.id() as NetworkId) },
    ];
    return await cluster.#arrive(async () => {
      await cluster.propose(changes);
    });
  }

  /** Errors: BAD_TOKEN, REFUSED, NOT_MEMBER, UNREACHABLE; NO_LEADER when the state does not come. */
  static async join(
    parts: ClusterMemberParts,
    { addresses, token, contacts, availability }: JoinOptions,
  ): Promise<ClusterMember> {
    const { open, keeper } = meshOf(parts, addresses);
    const { config } = parts;
    await removeJournal(config.dataDir);
    // All that may fail on this host comes before the cluster lets it in.
    const { disk, recovered } = await prepareDisk(config.dataDir, journalOf(config.dataDir));
    const made = await make(parts, { keeper, disk, recovered });
    const cluster = await open(undefined, async (mesh) => {
      const { members } = await mesh.join(token, contacts, availability);
      return new ClusterMember(parts, { mesh, made, contacts: members });
    }).catch(async (thrown: unknown) => {
      await close(made);
      throw thrown;
    });
    return await cluster.#arrive(() =>
      cluster.#until(arriveMs, () => cluster.view.node(parts.identity.nodeId) !== undefined),
    );
  }

  get view(): View {
    return this.peer.view;
  }

  /** Errors: what the state refuses, with its code; NO_LEADER when nobody took it. */
  async propose(changes: readonly AskedChange[]): Promise<{ readonly index: number }> {
    const answer = await this.driver.propose(changes);
    if (answer.kind === "applied") return { index: answer.index };
    if (answer.kind === "refused") throw new GamError(answer.code, answer.message);
    // Whoever asked has waited long enough to want to know more.
    const remedy =
      this.peer.leader === undefined
        ? '. What runs, runs on; "gam status" says whom this host must reach'
        : "";
    throw new GamError("NO_LEADER", `Cannot write: ${answer.message}${remedy}`);
  }

  /** This peer has got a certificate of another root key. Errors: those of the disk. */
  async turnTunnelKey(): Promise<void> {
    await this.#networking.rotateKeys();
  }

  /** What this host's own part in networks lacks, in sentences. */
  get problems(): readonly string[] {
    return this.#networking.problems;
  }

  /** Errors: NOT_SUPPORTED when this node has no part of the network; what the engine says. */
  async ensureNetwork(id: NetworkId): Promise<void> {
    const network = this.view.network(id);
    const node = this.view.node(this.peer.self);
    const cluster = this.view.cluster?.ID ?? "";
    const plan = network && node && planNetwork(network, node, cluster);
    if (plan === undefined) {
      const reason = node?.Gam.network?.problem || "it has no address there";
      const name = network?.Name ?? id;
      throw new GamError("NOT_SUPPORTED", `This node has no part of network ${name}: ${reason}`);
    }
    const outcome = await this.#engine.perform({ kind: "ensureNetwork", id: 0, network: plan });
    if (!outcome.ok) {
      const code = outcome.failure === "engine" ? "ENGINE_MISSING" : "ENGINE_FAILED";
      throw new GamError(code, `Cannot make network ${plan.name} here: ${outcome.message}`);
    }
    await this.#networking.settled();
  }

  /**
   * Gives up membership: others vote in this peer's place, its node is removed, its containers too.
   *
   * Errors: NO_LEADER when the others cannot be told, unless forced.
   */
  async leave(force: boolean): Promise<void> {
    const others = this.view.nodes().some(({ ID }) => ID !== this.peer.self);
    try {
      if (others) await this.#giveUpMembership();
    } catch (thrown) {
      if (!(thrown instanceof GamError) || !force) throw thrown;
      this.#parts.log.warn(
        { reason: thrown.message },
        'Left by force; the others still list this node: remove it there with "docker node rm --force"',
      );
    }
    await this.end();
  }

  /** Ends this life for good: nothing of it runs on. What lies in the data directory is the agent's. */
  async end(): Promise<void> {
    await this.stop();
    await removeLeftovers(this.#parts, this.view.cluster?.ID);
  }

  /** Stops, to be resumed later. Containers run on. */
  async stop(): Promise<void> {
    await this.driver.stop();
    await this.mesh.close();
    await this.#keeper.settled();
    await close({ networking: this.#networking, engine: this.#engine, disk: this.#disk });
  }

  /** Leadership goes first, so that nobody waits for an election. */
  async resign(): Promise<void> {
    const { voters } = this.peer.raft.configuration;
    if (this.peer.leader !== this.peer.self || voters.length < 2) return;
    this.driver.resign();
    const isOver = (): boolean => this.peer.leader !== this.peer.self;
    await this.#until(3000, isOver).catch(withoutLeader);
  }

  async #giveUpMembership(): Promise<void> {
    const { self } = this.peer;
    const node = this.view.node(self);
    if (node !== undefined && node.Spec.Role === "manager") {
      // A worker never votes, so the leader finds another voter in its place.
      const spec: NodeSpec = { ...node.Spec, Role: "worker", Availability: "drain" };
      await this.propose([{ kind: "updateNode", id: self, spec, basedOn: node.Version.Index }]);
    }
    await this.#until(handOverMs, () => {
      const { voters, votersOutgoing } = this.peer.raft.configuration;
      return !voters.includes(self) && !votersOutgoing.includes(self);
    });
    // The others hang up as soon as they have applied it, so the answer may not come.
    const gone = new Promise<void>((resolve) => {
      this.mesh.onTurnedAway((_, refusal) => {
        if (refusal === "removed") resolve();
      });
    });
    await Promise.race([gone, this.propose([{ kind: "removeNode", id: self }])]);
  }

  async #arrive(wait: () => Promise<void>): Promise<ClusterMember> {
    try {
      await wait();
      const { credentials } = this.mesh;
      assert(credentials !== undefined, "a member has credentials");
      // Credentials without a journal are a member that does not start again.
      await this.driver.durable();
      await this.#keeper.enter(credentials);
      return this;
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
  }

  async #until(withinMs: number, holds: () => boolean): Promise<void> {
    const untilMs = performance.now() + withinMs;
    while (!holds()) {
      if (performance.now() > untilMs) {
        throw new GamError(
          "NO_LEADER",
          `Cannot go on: the cluster did not answer within ${withinMs / 1000} s`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

/** What a membership is made of on this host. */
interface Made {
  readonly disk: Disk;
  readonly recovered: Recovered;
  readonly engine: DockerEngine;
  readonly networking: Networking;
  readonly keeper: Keeper;
  /** Its journal is spoilt: it takes no part. */
  readonly isMute?: boolean;
}

async function make(
  { config, log }: ClusterMemberParts,
  own: Omit<Made, "engine" | "networking">,
): Promise<Made> {
  const engine = new DockerEngine({ socketPath: config.engine });
  const networking = await Networking.open(config, engine, log);
  return { ...own, engine, networking };
}

async function close({
  networking,
  engine,
  disk,
}: Pick<Made, "networking" | "engine" | "disk">): Promise<void> {
  await networking.close();
  await engine.close();
  await disk.close();
}

/** For a catch: a cluster that does not answer in time is no error here. */
function withoutLeader(thrown: unknown): void {
  if (!(thrown instanceof GamError) || thrown.code !== "NO_LEADER") throw thrown;
}
