/**
 * Agent: gam on one host, from its start to its end. It serves the API in a cluster and outside of one.
 *
 * Decides only whether this host is in a cluster, and allows one change of that at a time.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, rm } from "node:fs/promises";
import type { ClusterDoor, HostFacts, InitRequest, SwarmJoinRequest } from "@gam/api";
import { assert, GamError, type NodeId } from "@gam/core";
import { HostCipher } from "@gam/files";
import {
  hasCredentials,
  type Identity,
  insistOnAdvertised,
  loadCredentials,
  loadIdentity,
  parseUnlockKey,
  removeCredentials,
  removeIdentity,
} from "@gam/mesh";
import { poolUsage } from "@gam/network";
import {
  type Event,
  isWanted,
  type Node,
  type NodeNetwork,
  nodesWithoutNextRoot,
  notUp,
  Store,
  type View,
} from "@gam/state";
import type { GamStatus, NodeSummary } from "@gam/state/answers";
import { ClusterMember, type ClusterMemberParts, imageNamesFile, mint } from "./cluster-member.ts";
import { type AgentConfig, hostAndPort } from "./config.ts";
import { HostKey } from "./disk/host-key.ts";
import { lockDataDir } from "./disk/lock.ts";
import { hasJournal, removeJournal } from "./disk/member-journal.ts";
import { keepPlace, keptPlace, type MeshAddresses, removePlace } from "./disk/place-file.ts";
import { HostLook } from "./health/host-facts.ts";
import { removeLeftovers } from "./leftovers.ts";
import type { AgentLog } from "./log.ts";
import { LockedNames } from "./names/locked-names.ts";
import { tunnelDir } from "./networking.ts";
import { writtenAtMs } from "./survivor.ts";
import type { OwnPackage } from "./upgrades/own-package.ts";

/** The node id of a locked host: nobody can read its identity. */
/** Moves that "gam rebalance --plan" shows. */
const movesShownMax = 100;
const noNode = "" as NodeId;
/** Within this time a survivor writes its state, restarts from it and elects itself. */
const recoverMs = 30_000;
const recoverPollMs = 50;

export class Agent {
  readonly config: AgentConfig;
  readonly #lock: FileHandle;
  readonly #hostKey: HostKey;
  /** Undefined while the host is locked. */
  #identity: Identity | undefined;
  readonly #log: AgentLog;
  readonly #own: OwnPackage;
  readonly #fail: (thrown: unknown) => void;
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #nothing = new Store();
  readonly #hostLook = new HostLook();
  #cluster: ClusterMember | undefined;
  /** Only while this host is locked. */
  #lockedNames: LockedNames | undefined;
  #changing = false;

  private constructor(
    config: AgentConfig,
    lock: FileHandle,
    hostKey: HostKey,
    log: AgentLog,
    own: OwnPackage,
    fail: (thrown: unknown) => void,
  ) {
    this.config = config;
    this.#lock = lock;
    this.#hostKey = hostKey;
    this.#log = log;
    this.#own = own;
    this.#fail = fail;
  }

  /**
   * Starts the agent, and resumes its membership if it has one. A locked host waits for unlock() instead.
   *
   * Errors: CORRUPT_FILE, with what to do; IN_USE when another agent has the data directory or the port;
   *         NOT_SUPPORTED when a newer gam has written to the data directory, which stays as it is.
   */
  static async start(
    config: AgentConfig,
    log: AgentLog,
    own: OwnPackage,
    fail: (thrown: unknown) => void,
  ): Promise<Agent> {
    const lock = await lockDataDir(config.dataDir);
    try {
      const hostKey = await HostKey.open(config.dataDir);
      const agent = new Agent(config, lock, hostKey, log, own, fail);
      await agent.#begin();
      return agent;
    } catch (thrown) {
      await lock.close();
      throw thrown;
    }
  }

  /** Hands on leadership and stops. Containers keep running. */
  async stop(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = undefined;
    await cluster?.resign();
    await cluster?.stop();
    await this.#closeNames();
    await this.#lock.close();
  }

  door(): ClusterDoor {
    const active = (): ClusterMember => {
      if (this.#cluster !== undefined) return this.#cluster;
      throw new GamError("NOT_MEMBER", "Cannot do that: this host is in no cluster");
    };
    const agent = this;
    return {
      get self() {
        return agent.#self;
      },
      state: () => this.#state,
      view: () => this.#view(),
      leader: () => this.#cluster?.peer.leader,
      voters: () => this.#cluster?.peer.raft.configuration.voters ?? [],
      reachable: (id) => this.#cluster?.peer.hears(id) ?? false,
      fresh: async () => (await this.#cluster?.driver.fresh()) ?? false,
      propose: (changes) => active().propose(changes),
      mint: mint.id,
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      init: (request) => this.#init(request),
      join: (request) => this.#join(request),
      meet: async ({ token, addresses }) =>
        (await this.#cluster?.mesh.meet(token, addresses)) ?? false,
      leave: (force) => this.#leave(force),
      rotateRoot: (changes) => active().keys.rotateRoot(changes),
      rotateTokens: (roles, changes) => active().keys.rotateTokens(roles, changes),
      newUnlockKey: () => active().keys.newUnlockKey(),
      unlockKey: () => active().keys.unlockKey(),
      unlock: (key) => this.#unlock(key),
      tokens: () => active().keys.tokens(),
      sealer: () => active().sealer,
      containersOf: async (node) => await active().containers.connect(node),
      usage: () => this.#cluster?.peer.usage ?? new Map(),
      pushImage: (image, nodes) => active().imageOrders.push(image, nodes),
      pruneImages: (nodes, wish) => active().imageOrders.prune(nodes, wish),
      ensureNetwork: (id) => active().ensureNetwork(id),
      examine: (paths) => active().examiner.examine(paths),
      examineHost: () => this.#lookAtHost(""),
      mend: (node, mend) => active().examiner.mend(node, mend),
      recoverReport: () => active().survivor.report(),
      recover: (force) => this.#recover(force),
      movesWanted: () => active().peer.movesWanted(movesShownMax),
      rehearse: () => active().rehearse(),
      backups: () => active().backups,
      httpReport: () => active().http.report(),
      why: (subject) => active().why(subject),
      upgrades: () => active().upgrades,
      status: () => this.#status(),
    };
  }

  get #self(): NodeId {
    return this.#identity?.nodeId ?? noNode;
  }

  get #state(): "inactive" | "locked" | "active" {
    if (this.#cluster !== undefined) return "active";
    return this.#hostKey.isLocked ? "locked" : "inactive";
  }

  async #begin(): Promise<void> {
    const { dataDir } = this.config;
    if (!this.#hostKey.isLocked) return await this.#resume();
    if (await hasCredentials(dataDir)) {
      this.#log.warn(
        {},
        'Started locked: this manager takes no part until somebody runs "gam unlock" or "docker swarm unlock" here. Containers are not affected',
      );
      this.#lockedNames = await LockedNames.serve(this.config, this.#log);
      return;
    }
    // A crash interrupted #forget(): nothing is left for which anyone would need the unlock key.
    await this.#forget();
  }

  /** Errors: BAD_REQUEST and BAD_TOKEN in Swarm's words; those of a start. */
  async #unlock(text: string): Promise<void> {
    const key = parseUnlockKey(text);
    await this.#change(async () => {
      if (this.#state !== "locked") throw new GamError("IN_USE", "swarm is not locked");
      if (!this.#hostKey.unlock(key)) {
        throw new GamError("BAD_TOKEN", "swarm could not be unlocked: invalid key provided");
      }
      try {
        await this.#closeNames();
        await this.#resume();
      } catch (thrown) {
        this.#hostKey.lockAgain();
        this.#identity = undefined;
        this.#lockedNames = await LockedNames.serve(this.config, this.#log);
        throw thrown;
      }
    });
    this.#log.info({ node: this.#self }, "Unlocked");
  }

  async #closeNames(): Promise<void> {
    await this.#lockedNames?.close();
    this.#lockedNames = undefined;
  }

  async #resume(): Promise<void> {
    const { dataDir } = this.config;
    const { cipher } = this.#hostKey;
    const identity = await loadIdentity(dataDir, cipher);
    this.#identity = identity;
    const credentials = await loadCredentials(dataDir, cipher);
    if (credentials === undefined) {
      // A crash interrupted #forget(): after a membership ended, or after a failed init or join.
      if (await hasJournal(this.config.dataDir)) await this.#forget();
      this.#log.info(
        { node: this.#self },
        'Started without a cluster. Run "gam init" to create one, or "gam join TOKEN" to join one',
      );
      return;
    }
    const addresses = await this.#lastPlace();
    const { salvage } = this.config;
    this.#enter(await ClusterMember.resume(this.#parts(), { addresses, credentials, salvage }));
    if (this.config.salvage) {
      this.#log.warn(
        {},
        'Started from the whole part of the journal. This host takes no part until "gam recover"',
      );
    }
    const { nodeId } = identity;
    this.#log.info({ node: nodeId, cluster: credentials.clusterId }, "Resumed membership");
  }

  #view(): View {
    return this.#cluster?.view ?? this.#nothing;
  }

  async #init(request: InitRequest): Promise<NodeId> {
    await this.#change(async () => {
      if (this.#state !== "inactive") throw inClusterAlready();
      const place = await this.#place(request);
      const { spec, availability, dataPath } = request;
      await this.#enterOrForget(async () => {
        await keepPlace(this.config.dataDir, place);
        const options = { addresses: place, spec, availability, dataPath };
        return await ClusterMember.init(this.#parts(), options);
      });
    });
    this.#log.info({ node: this.#self }, "Created a cluster");
    return this.#self;
  }

  async #join(request: SwarmJoinRequest): Promise<void> {
    await this.#change(async () => {
      if (this.#state !== "inactive") throw inClusterAlready();
      const place = await this.#place(request);
      const { token, addresses: contacts, availability } = request;
      await this.#enterOrForget(async () => {
        await keepPlace(this.config.dataDir, place);
        const options = { addresses: place, token, contacts, availability };
        return await ClusterMember.join(this.#parts(), options);
      });
    });
    this.#log.info({ node: this.#self }, "Joined a cluster");
  }

  /** As ClusterDoor. */
  async #leave(force: boolean): Promise<boolean> {
    let isListed = false;
    await this.#change(async () => {
      const cluster = this.#cluster;
      if (cluster !== undefined) isListed = await cluster.leave(force);
      else if (this.#state === "locked" && force) {
        await this.#removeLocked();
        isListed = true;
      } else throw new GamError("NOT_MEMBER", "Cannot leave: this host is in no cluster");
      await this.#forget();
    });
    this.#log.info({}, "Left the cluster");
    return isListed;
  }

  /** Removes what a locked membership left on this host. The other nodes still list it. */
  async #removeLocked(): Promise<void> {
    const { config } = this;
    await this.#closeNames();
    // Nobody can read these keys any more, and removing networks needs some.
    await rm(tunnelDir(config), { recursive: true, force: true });
    const cipher = new HostCipher(randomBytes(32));
    await removeLeftovers({ config, log: this.#log, cipher });
  }

  async #recover(force: boolean): Promise<void> {
    const before = this.#cluster;
    if (before === undefined)
      throw new GamError("NOT_MEMBER", "Cannot recover: this host is in no cluster");
    await before.survivor.recover(force);
    const untilMs = performance.now() + recoverMs;
    while (this.#cluster === before || this.#cluster?.peer.leader !== this.#self) {
      if (performance.now() > untilMs) {
        throw new GamError(
          "NO_LEADER",
          `Cannot confirm the recovery: this host does not lead after ${recoverMs / 1000} s. Run "gam status"`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, recoverPollMs));
    }
  }

  /** Restarts this member with the log of another life of its cluster. */
  #reborn(): void {
    this.#change(async () => {
      const before = this.#cluster;
      await before?.stop();
      const credentials = await loadCredentials(this.config.dataDir, this.#hostKey.cipher);
      assert(credentials !== undefined, "a member keeps its credentials");
      const addresses = await this.#lastPlace();
      const cluster = await ClusterMember.resume(this.#parts(), { addresses, credentials });
      this.#cluster = undefined;
      this.#enter(cluster);
      this.#log.info(
        { life: cluster.peer.lives.own },
        "Resumed membership in another life of the cluster",
      );
    }).catch(this.#fail);
  }

  /** Ends the membership after another node removed this one. */
  #removed(): void {
    if (this.#changing) return; // This node is leaving by itself.
    this.#log.warn(
      {},
      'Removed from the cluster by another node. Run "gam join TOKEN" to join again',
    );
    this.#change(async () => {
      await this.#cluster?.end();
      await this.#forget();
    }).catch(this.#fail);
  }

  /**
   * Deletes the membership and makes a new identity. Other peers may still rely on promises in the deleted
   * journal, so this host must not come back as the same peer. The journal is deleted last: a start that finds
   * a journal without credentials runs this again. A new host key makes old copies of the files useless, and ends
   * a lock.
   */
  async #forget(): Promise<void> {
    const { dataDir } = this.config;
    this.#cluster = undefined;
    await removeCredentials(dataDir);
    await removePlace(dataDir);
    await rm(tunnelDir(this.config), { recursive: true, force: true });
    await rm(imageNamesFile(this.config), { force: true });
    await removeIdentity(dataDir);
    await this.#hostKey.renew();
    await removeJournal(dataDir);
    this.#identity = await loadIdentity(dataDir, this.#hostKey.cipher);
  }

  async #enterOrForget(enter: () => Promise<ClusterMember>): Promise<void> {
    try {
      this.#enter(await enter());
    } catch (thrown) {
      await this.#forget();
      throw thrown;
    }
  }

  async #change(work: () => Promise<void>): Promise<void> {
    if (this.#changing) {
      throw new GamError(
        "IN_USE",
        "Cannot change membership: another change is in progress. Try again when it has ended",
      );
    }
    this.#changing = true;
    try {
      await work();
    } finally {
      this.#changing = false;
    }
  }

  #enter(cluster: ClusterMember): void {
    assert(this.#cluster === undefined, "one cluster at a time");
    this.#cluster = cluster;
    cluster.driver.subscribe((event) => {
      for (const listener of this.#listeners) listener(event);
    });
  }

  #parts(): ClusterMemberParts {
    assert(this.#identity !== undefined, "a locked host enters no cluster");
    return {
      config: this.config,
      identity: this.#identity,
      hostKey: this.#hostKey,
      log: this.#log,
      own: this.#own,
      fail: this.#fail,
      removed: () => this.#removed(),
      reborn: () => this.#reborn(),
      lookAtHost: (address) => this.#lookAtHost(address),
    };
  }

  async #lookAtHost(address: string): Promise<HostFacts> {
    const { dataDir, engine } = this.config;
    return await this.#hostLook.facts({ dataDir, engine, address, version: this.#own.version });
  }

  async #place(request: Pick<InitRequest, "listenAddr" | "advertiseAddr">): Promise<MeshAddresses> {
    const { listen, advertise } = this.config;
    const { listenAddr, advertiseAddr } = request;
    // Clients send 0.0.0.0:2377, Swarm's port, by default: ignore it.
    const told = listenAddr !== undefined && !listenAddr.startsWith("0.0.0.0");
    const place = {
      listen: told ? withPort(listenAddr, listen.port) : listen,
      advertise: advertise ?? advertiseAddr,
    };
    if (place.advertise !== undefined) await insistOnAdvertised(place.advertise);
    return place;
  }

  async #lastPlace(): Promise<MeshAddresses> {
    const { listen, advertise } = this.config;
    const kept = await keptPlace(this.config.dataDir);
    if (kept === undefined) return { listen, advertise };
    return { listen: kept.listen, advertise: advertise ?? kept.advertise };
  }

  #status(): GamStatus {
    const cluster = this.#cluster;
    const configuration = cluster?.peer.raft.configuration;
    const isCaughtUp = cluster?.peer.standing.isCaughtUp ?? true;
    return {
      version: this.#own.version,
      self: this.#self,
      state: this.#state,
      autolock: this.#view().cluster?.UnlockKey !== undefined,
      leader: cluster?.peer.leader ?? null,
      term: cluster?.peer.raft.term ?? 0,
      leaderlessMs: cluster?.peer.leaderlessMs ?? 0,
      isCaughtUp,
      // It reads all objects, so only where somebody needs it.
      stateAtMs: isCaughtUp ? 0 : writtenAtMs(this.#view()),
      life: cluster?.peer.lives.own.length ?? 0,
      isMute: cluster?.isMute ?? false,
      rivals: cluster?.peer.lives.rivals.map(({ peer }) => peer) ?? [],
      applied: this.#view().index,
      voters: configuration?.voters ?? [],
      learners: configuration?.learners ?? [],
      pools: poolUsage(this.#view()),
      notUp: notUp(this.#view()),
      rootAwaits: this.#view().cluster?.NextRoot
        ? nodesWithoutNextRoot(this.#view()).map(({ ID }) => ID)
        : null,
      troubles: cluster?.peer.troubles ?? [],
      problems: cluster?.problems ?? [],
      nodes: this.#view()
        .nodes()
        .map((node) => this.#summary(node)),
    };
  }

  #summary(node: Node): NodeSummary {
    const { ID, Spec, Status, Description, Gam } = node;
    const cluster = this.#cluster;
    const voter = cluster?.peer.raft.configuration.voters.includes(ID);
    const standby = Spec.Role === "worker" ? "worker" : "learner";
    const running = this.#view()
      .tasksOn(ID)
      .filter((task) => task.Status.State === "running" && isWanted(task));
    return {
      id: ID,
      // A node that has not reported its hostname yet is shown by its id.
      hostname: Description.Hostname || ID,
      address: Gam.addresses[0] ?? "",
      state: Status.State,
      message: Status.Message ?? "",
      heard: cluster?.peer.hears(ID) ?? false,
      graceMs: cluster?.peer.graceMs(ID) ?? null,
      engine: Gam.engine.ready,
      role: cluster?.peer.leader === ID ? "leader" : voter ? "voter" : standby,
      availability: Spec.Availability,
      usage: cluster?.peer.usage.get(ID) ?? null,
      network: Gam.network ? pick(Gam.network) : null,
      tasks: running.length,
      version: Gam.version,
    };
  }
}

function pick({ encryption, problem }: NodeNetwork): NonNullable<NodeSummary["network"]> {
  return { encryption, problem };
}

function withPort(text: string, port: number): { host: string; port: number } {
  return /:\d+$/.test(text) ? hostAndPort("listen", text) : { host: text, port };
}

function inClusterAlready(): GamError {
  return new GamError(
    "REFUSED",
    'Cannot join: this host is already in a cluster. Run "gam leave" first',
  );
}
