/**
 * Cluster member: this agent's life as a member, from init, join or restart until leave or removal.
 *
 * Builds mesh, disk, engine and peer, connects them, and stops them again. Decides in which order a membership is
 * made and ended, so that after a crash in between this host is either a member or not.
 */

import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import type { HostFacts } from "@gam/api";
import {
  assert,
  base36,
  base64,
  GamError,
  type Mint,
  type NetworkId,
  type Random,
} from "@gam/core";
import {
  type Credentials,
  createCluster,
  type Mesh,
  signRootCertificate,
  type Wanted,
} from "@gam/mesh";
import {
  bootstrapJournal,
  explainWhy,
  journalRemedy,
  type ObjectReference,
  Peer,
  type Recovered,
  Rehearsal,
  salvaged,
} from "@gam/peer";
import { DockerEngine, ForeignNames, ImageDepot, LayerCache, LocalVolumes } from "@gam/runtime";
import {
  type AskedChange,
  type Availability,
  type Cluster,
  type ClusterSpec,
  compareStates,
  type DataPath,
  type NodeSpec,
  newIngressNetwork,
  planNetwork,
  type Secret,
  spokenDialect,
  type Task,
  type View,
} from "@gam/state";
import type { WhyReport } from "@gam/state/answers";
import { BackupDesk } from "./backups/backup-desk.ts";
import { BackupMaker } from "./backups/backup-maker.ts";
import { BackupRunner } from "./backups/backup-runner.ts";
import { BackupStores } from "./backups/backup-stores.ts";
import { Restorer } from "./backups/restorer.ts";
import type { AgentConfig } from "./config.ts";
import { RemoteContainers } from "./containers/remote-containers.ts";
import { ContentDesk } from "./contents/content-desk.ts";
import { LateContents } from "./contents/late-contents.ts";
import { Disk } from "./disk/disk.ts";
import { journalOf, removeJournal } from "./disk/member-journal.ts";
import type { MeshAddresses } from "./disk/place-file.ts";
import { prepareDisk } from "./disk/prepare-disk.ts";
import { Driver } from "./driver.ts";
import { Examiner } from "./health/examiner.ts";
import { knock } from "./health/knock.ts";
import { HttpDesk } from "./http/http-desk.ts";
import { ImageDesk } from "./images/image-desk.ts";
import { ImageOrders } from "./images/image-orders.ts";
import { LateImages } from "./images/late-images.ts";
import type { Keeper } from "./keeper.ts";
import { removeLeftovers } from "./leftovers.ts";
import { type MeshDoorParts, meshOf } from "./mesh-door.ts";
import { Networking } from "./networking.ts";
import { Survivor } from "./survivor.ts";
import { ClusterKeys } from "./trust/cluster-keys.ts";
import { HostLock } from "./trust/host-lock.ts";
import { newNode } from "./trust/join-request.ts";
import { makeTokens } from "./trust/join-tokens.ts";
import { Resealer } from "./trust/resealer.ts";
import { newestRootOf } from "./trust/root-seals.ts";
import { Sealer } from "./trust/sealer.ts";
import { makeSealingKey } from "./trust/sealing-keys.ts";
import { newUnlockKey } from "./trust/unlock-keys.ts";
import type { OwnPackage } from "./upgrades/own-package.ts";
import { UpgradeDesk } from "./upgrades/upgrade-desk.ts";
import { VolumeGiver } from "./volumes/volume-giver.ts";
import { VolumeMover } from "./volumes/volume-mover.ts";

/** A restart applies at most this many entries after the snapshot, which takes about a second. */
const logEntriesMax = 8192;
/** Joining fails when the state does not show the new member within this time. */
const arriveMs = 30_000;
/** How long a leaving voter waits for the leader to replace it as a voter. */
const handOverMs = 15_000;
/** How long a leaving manager waits for its tasks to end: a container may take ten seconds to stop. */
const drainMs = 20_000;
const pollMs = 50;

export interface ClusterMemberParts extends MeshDoorParts {
  readonly own: OwnPackage;
  /** This peer is no member any more. Called once at most. */
  readonly removed: () => void;
  /** What this host says of itself; `address`: at which other hosts reach it. */
  readonly lookAtHost: (address: string) => Promise<HostFacts>;
  /** The disk has another life of the cluster, and this peer has stopped. */
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

/** Returns: the file of names of images that came from other hosts. */
export function imageNamesFile({ dataDir }: AgentConfig): string {
  return join(dataDir, "image-names.json");
}

export class ClusterMember {
  readonly mesh: Mesh;
  readonly peer: Peer;
  readonly driver: Driver;
  readonly examiner: Examiner;
  readonly containers: RemoteContainers;
  readonly imageOrders: ImageOrders;
  readonly http: HttpDesk;
  readonly survivor: Survivor;
  readonly upgrades: UpgradeDesk;
  readonly keys: ClusterKeys;
  readonly #lock: HostLock;
  readonly sealer: Sealer;
  /** Its journal is broken: the member only listens, and waits for "gam recover". */
  readonly isMute: boolean;
  readonly #parts: ClusterMemberParts;
  readonly #disk: Disk;
  readonly #engine: DockerEngine;
  readonly #depot: ImageDepot;
  readonly #networking: Networking;
  readonly #keeper: Keeper;
  readonly #resealer: Resealer;
  readonly #giver: VolumeGiver;
  readonly #mover: VolumeMover;
  readonly backups: BackupDesk;
  readonly #runner: BackupRunner;
  readonly #restorer: Restorer;

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
    this.#depot = made.depot;
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
    this.http = new HttpDesk({
      ...{ self: identity.nodeId, view: () => this.view, sealer: () => this.sealer, log },
      secrets: (task, wanted) => made.contents.secrets(task, wanted),
    });
    this.driver = new Driver({
      peer: this.peer,
      mesh,
      disk,
      engine,
      ...{ networking, http: this.http, log, fail },
      removed: parts.removed,
      reborn: parts.reborn,
      contacts,
      genericResources: config.genericResources,
      root: () => made.keeper.root,
      version: parts.own.version,
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
      problems: () => this.problems,
      heard: () => networking.heard(),
      hears: (node) => this.peer.hears(node),
      knock,
      log: () => ({
        applied: this.view.index,
        commit: this.peer.raft.commitIndex,
        stopped: this.isMute ? "its journal is damaged" : (this.peer.standing.halted ?? ""),
      }),
      host: () => parts.lookAtHost(this.view.node(identity.nodeId)?.Status.Addr ?? ""),
    });
    this.survivor = new Survivor({
      peer: this.peer,
      isMute: this.isMute,
      mesh,
      mint: mint.id,
      recover: (id, gone) => this.driver.recover(id, gone),
    });
    this.keys = new ClusterKeys({
      ...{ mesh, self: identity.nodeId, view: () => this.view, mint: mint.id },
      propose: (changes) => this.propose(changes),
    });
    this.sealer = new Sealer({
      view: () => this.view,
      credentials: () => {
        if (mesh.credentials !== undefined) return mesh.credentials;
        throw new GamError("NOT_MEMBER", "Cannot open or seal secrets: not a member");
      },
    });
    const leading = {
      ...{ sealer: this.sealer, view: () => this.view, log, mint: mint.id },
      leads: () => this.peer.leader === identity.nodeId,
      propose: (changes: readonly AskedChange[]) => this.propose(changes),
    };
    this.#resealer = new Resealer(leading);
    this.http.lead(leading);
    this.#lock = new HostLock({ hostKey: parts.hostKey, keys: this.keys, fail });
    made.contents.desk = new ContentDesk({
      ...{ self: identity.nodeId, mesh, sealer: this.sealer, log },
      view: () => this.view,
      leader: () => this.peer.leader,
      withheld: (refusal) => this.driver.withheld(refusal),
    });
    mesh.onTurnedAway((by, refusal) => {
      // This node was removed while it was offline. Only a manager's refusal counts: otherwise any worker could
      // end this membership. The mesh has verified the sender.
      const manager = this.view.node(by)?.Spec.Role === "manager";
      if (refusal === "removed" && manager) parts.removed();
    });
    this.driver.subscribe((event) => this.http.notice(event));
    this.driver.subscribe(({ table }) => {
      if (table === "volume") this.#noticeVolumes();
      if (table === "cluster") {
        mesh.rootsMoved();
        this.#resealer.notice();
      }
      if (table === "cluster" || table === "node") this.followLock();
    });
    this.containers = new RemoteContainers({ mesh, view: () => this.view, engine: config.engine });
    const volumes = new LocalVolumes(config.engine);
    const around = { self: identity.nodeId, mesh, volumes, view: () => this.view };
    this.#giver = new VolumeGiver(around);
    const acting = {
      ...{ ...around, log, mint: mint.id, nowMs: Date.now },
      propose: async (changes: readonly AskedChange[]) => await this.propose(changes),
      openSecret: (secret: Secret, version: number) => this.sealer.openSecret(secret, version),
    };
    this.#mover = new VolumeMover(acting);
    this.#restorer = new Restorer(acting);
    const maker = new BackupMaker(acting);
    const stores = new BackupStores(acting);
    this.#runner = new BackupRunner({ ...acting, maker, stores });
    this.backups = new BackupDesk({ ...acting, maker, stores, restorer: this.#restorer });
    const desk = new ImageDesk({
      ...{ self: identity.nodeId, depot: made.depot, mesh, log },
      view: () => this.view,
      usage: () => this.peer.usage,
      bytesPerSecond: config.imageBytesPerSecond,
    });
    made.images.desk = desk;
    this.imageOrders = new ImageOrders({
      ...{ self: identity.nodeId, desk, depot: made.depot, mesh, log },
      view: () => this.view,
      usage: () => this.peer.usage,
    });
    const { own } = parts;
    this.upgrades = UpgradeDesk.open({
      ...{ self: identity.nodeId, own, config, mesh, log, peer: this.peer },
      view: () => this.view,
    });
    this.driver.start();
    void this.driver.fresh().then(() => {
      this.keys.fresh();
      mesh.rootsMoved();
      this.followLock();
    });
  }

  /**
   * Starts the member that the credentials name, with the journal on disk.
   *
   * Errors: CORRUPT_FILE, IN_USE.
   */
  static async resume(
    parts: ClusterMemberParts,
    { addresses, credentials, salvage = false }: ResumeOptions,
  ): Promise<ClusterMember> {
    const { disk, recovered } = await Disk.open(
      journalOf(parts.config.dataDir),
      parts.hostKey.cipher,
      salvage,
    );
    const { snapshot, entries } = recovered.restored;
    // A peer that dropped its log for another life of the cluster has an empty one, and the addresses of others.
    const contacts = recovered.journal.contacts.map((contact) => ({
      nodeId: contact.id,
      addresses: contact.addresses,
    }));
    if (snapshot === undefined && entries.length === 0 && contacts.length === 0) {
      throw new GamError(
        "CORRUPT_FILE",
        `Cannot resume membership: the journal "${journalOf(parts.config.dataDir)}" is empty. ${journalRemedy}`,
      );
    }
    const { open, keeper } = meshOf(parts, addresses, credentials);
    const usable = salvage ? salvaged(recovered, parts.identity.nodeId) : recovered;
    const made = await make(parts, { keeper, disk, recovered: usable, isMute: salvage });
    return await open(credentials, (mesh) => new ClusterMember(parts, { mesh, made, contacts }));
  }

  /** Makes a new cluster with this host as its first member. Errors: IN_USE; NO_LEADER; those of the disk. */
  static async init(
    parts: ClusterMemberParts,
    { addresses, spec, availability, dataPath }: InitOptions,
  ): Promise<ClusterMember> {
    const { identity, config } = parts;
    const credentials = createCluster(identity, Date.now());
    await removeJournal(config.dataDir);
    const { disk } = await Disk.open(journalOf(config.dataDir), parts.hostKey.cipher);
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
          ...foundingSecrets(credentials, spec),
          SealingKeys: [makeSealingKey(mint.id(), newestRootOf(credentials))],
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

  /** Errors: BAD_TOKEN, REFUSED, NOT_MEMBER, UNREACHABLE, DISK_FAILED; NO_LEADER when the state does not arrive. */
  static async join(
    parts: ClusterMemberParts,
    { addresses, token, contacts, availability }: JoinOptions,
  ): Promise<ClusterMember> {
    const { open, keeper } = meshOf(parts, addresses);
    const { config } = parts;
    await removeJournal(config.dataDir);
    // Everything that can fail on this host comes first: a node that joined and failed would stay in the list.
    const { disk, recovered } = await prepareDisk(
      config.dataDir,
      journalOf(config.dataDir),
      parts.hostKey.cipher,
    );
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

  #noticeVolumes(): void {
    this.#mover.notice();
    this.#runner.notice();
    this.#restorer.notice();
  }

  /** Errors: the code with which the state refuses a change; NO_LEADER when no leader took the changes in time. */
  async propose(changes: readonly AskedChange[]): Promise<{ readonly index: number }> {
    const answer = await this.driver.propose(changes);
    if (answer.kind === "applied") {
      // A client that reads "managers are locked" may cut the power at once.
      await this.#lock.settled();
      return { index: answer.index };
    }
    if (answer.kind === "refused") throw new GamError(answer.code, answer.message);
    const remedy =
      this.peer.leader === undefined
        ? '. Running containers are not affected. Run "gam status" for the hosts this one must reach'
        : "";
    throw new GamError("NO_LEADER", `Cannot write: ${answer.message}${remedy}`);
  }

  /** Returns: why an object of the state is as it is; undefined when there is none. */
  why(subject: ObjectReference): WhyReport | undefined {
    const { usage, leader } = this.peer;
    return explainWhy(this.view, subject, { usage, nowMs: Date.now(), led: leader !== undefined });
  }

  /** Returns: a copy of the state to try changes on. */
  rehearse(): Rehearsal {
    return new Rehearsal(this.view, { usage: this.peer.usage, nowMs: Date.now() });
  }

  /** Replaces this node's tunnel key: its certificate is of another root key now. Errors: those of the disk. */
  async turnTunnelKey(): Promise<void> {
    await this.#networking.rotateKeys();
  }

  /** Seals the key of this host as the cluster demands now. */
  followLock(): void {
    this.#lock.follow();
    const isLocked = this.view.cluster?.UnlockKey !== undefined;
    this.#networking.keepNames(isLocked).catch(this.#parts.fail);
  }

  /** Problems of this host's networks and HTTP proxy, as sentences for an operator. */
  get problems(): readonly string[] {
    return [...this.#networking.problems, ...this.http.problems];
  }

  /**
   * Makes the engine's network on this host, and waits until the data plane serves it.
   *
   * Errors: NOT_SUPPORTED when this node has no address in the network; ENGINE_MISSING; ENGINE_FAILED.
   */
  async ensureNetwork(id: NetworkId): Promise<void> {
    const network = this.view.network(id);
    const node = this.view.node(this.peer.self);
    const cluster = this.view.cluster?.ID ?? "";
    const plan = network && node && planNetwork(network, node, cluster);
    if (plan === undefined) {
      const reason = node?.Gam.network?.problem || "the node has no address in it";
      const name = network?.Name ?? id;
      throw new GamError("NOT_SUPPORTED", `Cannot use network "${name}" on this node: ${reason}`);
    }
    const outcome = await this.#engine.perform({ kind: "ensureNetwork", id: 0, network: plan });
    if (!outcome.ok) {
      const code = outcome.failure === "engine" ? "ENGINE_MISSING" : "ENGINE_FAILED";
      throw new GamError(
        code,
        `Cannot make network "${plan.name}" on this node: ${outcome.message}`,
      );
    }
    await this.#networking.settled();
  }

  /**
   * Ends membership: the leader replaces this peer as a voter, then the node and its containers are removed.
   *
   * Returns: whether the others still list this node, because they could not be informed.
   * Errors: NO_LEADER when no leader takes the change, unless forced.
   */
  async leave(force: boolean): Promise<boolean> {
    const others = this.view.nodes().some(({ ID }) => ID !== this.peer.self);
    let isListed = false;
    try {
      if (others) await this.#giveUpMembership(force);
    } catch (thrown) {
      if (!(thrown instanceof GamError) || !force) throw thrown;
      isListed = true;
      this.#parts.log.warn(
        { reason: thrown.message },
        'Left by force. The other nodes still list this one: run "docker node rm --force" on one of them',
      );
    }
    await this.end();
    return isListed;
  }

  /** Stops for good, and removes containers and networking. The agent removes the files in the data directory. */
  async end(): Promise<void> {
    await this.stop();
    const { config, log, hostKey } = this.#parts;
    await removeLeftovers({ config, log, cipher: hostKey.cipher }, this.view.cluster?.ID);
  }

  /** Stops until resume(). Containers keep running. */
  async stop(): Promise<void> {
    this.#resealer.stop();
    this.#giver.stop();
    this.#mover.stop();
    this.#runner.stop();
    this.#restorer.stop();
    this.backups.stop();
    await this.driver.stop();
    await this.http.close();
    this.containers.close();
    await this.mesh.close();
    await this.#keeper.settled();
    // The root key that opens the unlock key may have arrived with the last credentials.
    this.followLock();
    await this.#lock.settled();
    await close({
      ...{ networking: this.#networking, engine: this.#engine, disk: this.#disk },
      depot: this.#depot,
    });
  }

  /** Hands over leadership before a stop, so that the cluster does not wait for an election timeout. */
  async resign(): Promise<void> {
    const { voters } = this.peer.raft.configuration;
    if (this.peer.leader !== this.peer.self || voters.length < 2) return;
    this.driver.resign();
    const isOver = (): boolean => this.peer.leader !== this.peer.self;
    await this.#until(3000, isOver).catch(withoutLeader);
  }

  async #giveUpMembership(force: boolean): Promise<void> {
    const { self } = this.peer;
    const node = this.view.node(self);
    if (node !== undefined && node.Spec.Role === "manager") {
      // The leader replaces a voter that has become a worker.
      const spec: NodeSpec = { ...node.Spec, Role: "worker", Availability: "drain" };
      await this.propose([{ kind: "updateNode", id: self, spec, basedOn: node.Version.Index }]);
      if (!force && node.Gam.engine.ready) await this.#drained();
    }
    await this.#until(handOverMs, () => {
      const { voters, votersOutgoing } = this.peer.raft.configuration;
      return !voters.includes(self) && !votersOutgoing.includes(self);
    });
    // The others disconnect this peer as soon as they have applied its removal, so the answer may not arrive.
    const gone = new Promise<void>((resolve) => {
      this.mesh.onTurnedAway((_, refusal) => {
        if (refusal === "removed") resolve();
      });
    });
    await Promise.race([gone, this.propose([{ kind: "removeNode", id: self }])]);
  }

  /** Lets the containers of this host stop in their own time, while others start elsewhere. */
  async #drained(): Promise<void> {
    const isOver = ({ Status }: Task): boolean => compareStates(Status.State, "running") > 0;
    const { self } = this.peer;
    await this.#until(drainMs, () => this.view.tasksOn(self).every(isOver)).catch(withoutLeader);
  }

  async #arrive(wait: () => Promise<void>): Promise<ClusterMember> {
    try {
      await wait();
      const { credentials } = this.mesh;
      assert(credentials !== undefined, "a member has credentials");
      // The journal must be on disk before the credentials: an agent with credentials and no journal does not start.
      await this.driver.durable();
      await this.#keeper.enter(credentials);
      this.followLock();
      await this.#lock.settled();
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
          `Cannot continue: the cluster did not answer within ${withinMs / 1000} s. Run "gam status" for the hosts this one must reach`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

/** The parts of a membership that exist before its mesh. */
interface Made {
  readonly disk: Disk;
  readonly recovered: Recovered;
  readonly engine: DockerEngine;
  readonly networking: Networking;
  readonly contents: LateContents;
  readonly depot: ImageDepot;
  readonly images: LateImages;
  readonly keeper: Keeper;
  /** As ClusterMember.isMute. */
  readonly isMute?: boolean;
}

async function make(
  { config, log, hostKey }: ClusterMemberParts,
  own: Omit<Made, "engine" | "contents" | "networking" | "depot" | "images">,
): Promise<Made> {
  const contents = new LateContents();
  const images = new LateImages();
  const names = await ForeignNames.open(imageNamesFile(config));
  const cache = new LayerCache(join(config.dataDir, "layers"));
  const depot = new ImageDepot(config.engine, cache, names);
  const engine = new DockerEngine({
    socketPath: config.engine,
    contents: { source: contents, folder: config.filesDir },
    images: { source: images, names },
  });
  const networking = await Networking.open(config, { engine, log, cipher: hostKey.cipher });
  return { ...own, engine, contents, depot, images, networking };
}

async function close({
  networking,
  engine,
  depot,
  disk,
}: Pick<Made, "networking" | "engine" | "depot" | "disk">): Promise<void> {
  await networking.close();
  await engine.close();
  await depot.close();
  await disk.close();
}

/** What only the first manager of a cluster can make, with its new root key. */
function foundingSecrets(
  credentials: Credentials,
  { EncryptionConfig }: ClusterSpec,
): Partial<Pick<Cluster, "RootSelfSignature" | "UnlockKey">> {
  const { rootPrivateKey } = credentials;
  return {
    ...(rootPrivateKey && { RootSelfSignature: base64(signRootCertificate(rootPrivateKey)) }),
    ...(EncryptionConfig.AutoLockManagers && { UnlockKey: newUnlockKey(credentials) }),
  };
}

/** For a catch where an answer of the cluster is optional: rethrows everything but NO_LEADER. */
function withoutLeader(thrown: unknown): void {
  if (!(thrown instanceof GamError) || thrown.code !== "NO_LEADER") throw thrown;
}
