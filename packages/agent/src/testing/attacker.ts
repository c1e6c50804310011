/**
 * Attacker: a worker that has removed the checks from its agent.
 *
 * It has what root on a worker has: the keys and the certificate of the node, its copy of the state, and all of
 * the agent's code. Each attack is one attempt on every reachable peer, with what the peer's log must say about
 * it.
 */
import { randomBytes } from "node:crypto";
import { base64, decode, encode, GamError, type NodeId } from "@gam/core";
import {
  type Credentials,
  fingerprintOf,
  formatToken,
  type Identity,
  Mesh,
  type MeshDoor,
  makeIdentity,
  type Protocol,
} from "@gam/mesh";
import type { Recovered } from "@gam/peer";
import {
  type Change,
  clusterSpecDefault,
  dataPathDefault,
  type NewNode,
  type Node,
  type Proposal,
  readDump,
  Store,
  type View,
} from "@gam/state";

export interface AttackerParts {
  readonly identity: Identity;
  readonly credentials: Credentials;
  readonly view: View;
  /** Life of its log, for messages about the log. */
  readonly life: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** `host:port` of members. */
  readonly targets: readonly string[];
}

export interface Attack {
  readonly name: string;
  /**
   * What the log of an attacked peer says, or has just said of an equal case. Undefined: the peer refuses nothing,
   * and the attack has no effect.
   */
  readonly named: RegExp | undefined;
  readonly run: (attacker: Attacker) => void | Promise<void>;
}

/** A door without any state. */
const door: MeshDoor = {
  tokenKeys: () => undefined,
  certificateLifeMs: () => 90 * 86_400_000,
  index: () => 0,
  members: () => [],
  isRemoved: () => false,
  onJoinRequest: async () => undefined,
  roots: () => undefined,
  onRenewed: async () => undefined,
};
const lateTerm = 2 ** 52 - 1;
const connectMs = 20_000;
const pollMs = 20;
const ignore = (): undefined => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Returns: the copy of the state in a member's journal. */
export function stateIn({ restored }: Recovered): View {
  const store = new Store();
  const { snapshot, entries, hardState } = restored;
  if (snapshot !== undefined && snapshot.data.length > 0) store.restore(readDump(snapshot.data));
  for (const { index, kind, data } of entries) {
    if (index <= store.index || index > hardState.commit) continue;
    if (kind === "data") store.apply(index, decode(data) as Proposal);
    else store.skip(index);
  }
  return store;
}

export class Attacker {
  readonly view: View;
  readonly #parts: AttackerParts;
  readonly #mesh: Mesh;
  #proposals = 0;

  private constructor(parts: AttackerParts, mesh: Mesh) {
    this.#parts = parts;
    this.#mesh = mesh;
    this.view = parts.view;
  }

  /** Errors: UNREACHABLE when no member lets it in. */
  static async open(parts: AttackerParts): Promise<Attacker> {
    const { identity, credentials, listen, targets } = parts;
    const mesh = await Mesh.open({
      identity,
      credentials,
      listen,
      log: silent,
      door,
    });
    const fingerprint = fingerprintOf(credentials.rootPublicKey);
    await mesh.meet(formatToken({ fingerprint, secret: "0".repeat(25), addresses: targets }));
    const known = parts.view.nodes().filter(({ ID }) => ID !== identity.nodeId);
    mesh.setPeers(known.map(({ ID, Gam }) => ({ nodeId: ID, addresses: Gam.addresses })));
    return new Attacker(parts, mesh);
  }

  get self(): NodeId {
    return this.#parts.identity.nodeId;
  }
  get managers(): readonly Node[] {
    return this.view.nodes().filter(({ Spec }) => Spec.Role === "manager");
  }
  /** A manager. */
  get victim(): Node {
    const [victim] = this.managers;
    if (victim === undefined) throw new GamError("NOT_FOUND", "Cannot attack: no manager is known");
    return victim;
  }
  /** Another worker, or a manager where there is none. */
  get neighbour(): Node {
    const other = this.view
      .nodes()
      .find(({ ID, Spec }) => ID !== this.self && Spec.Role === "worker");
    return other ?? this.victim;
  }

  async close(): Promise<void> {
    await this.#mesh.close();
  }

  /** Waits until all managers are connected again: an attack may have cost the connections. */
  async connected(): Promise<void> {
    const untilMs = performance.now() + connectMs;
    const missing = (): boolean => {
      const rows = this.#mesh.peers().filter(({ state }) => state === "connected");
      return !this.managers.every(({ ID }) => rows.some(({ nodeId }) => nodeId === ID));
    };
    while (missing() && performance.now() < untilMs) {
      await new Promise((settle) => setTimeout(settle, pollMs));
    }
  }

  /** Sends the body to every member, unchanged. */
  say(protocol: Protocol, body: unknown): void {
    for (const { ID } of this.view.nodes()) {
      if (ID !== this.self) this.#mesh.send(ID, protocol, encode(body));
    }
  }

  /** Sends a message about the log, with the log's life. */
  sayOfLog(protocol: "raft" | "peer", body: unknown): void {
    this.say(protocol, { life: this.#parts.life, body });
  }

  propose(...changes: readonly unknown[]): void {
    this.#proposals += 1;
    const id = `${this.#proposals}${randomBytes(16).toString("hex")}`.slice(0, 25);
    const proposal = { id, atMs: Date.now(), changes };
    this.sayOfLog("peer", { kind: "propose", proposal });
  }

  publish(topic: "usage" | "rumour", body: unknown): void {
    this.#mesh.publish(topic, encode(body));
  }

  async request(name: string, body: Uint8Array = new Uint8Array()): Promise<void> {
    await this.#mesh.request(this.victim.ID, { name, body, timeoutMs: 2_000 }).catch(ignore);
  }

  /** Asks for data on behalf of a task that another node has, or none. */
  async askContents(wanted: object): Promise<void> {
    const task = this.view.tasks().find(({ NodeID }) => NodeID !== this.self)?.ID;
    await this.request("contents", encode({ task, asOf: 0, ...wanted }));
  }

  async stream(name: string, header: unknown): Promise<void> {
    const opened = await this.#mesh.stream(this.victim.ID, name, encode(header)).catch(ignore);
    opened?.on("error", ignore).destroy();
  }

  /** Tries to join with a secret made from what the state shows of a token. */
  async join(secret: string): Promise<void> {
    const { credentials, targets } = this.#parts;
    const mesh = await Mesh.open({
      identity: await makeIdentity(),
      listen: { host: this.#parts.listen.host, port: 0 },
      log: silent,
      door,
    });
    const fingerprint = fingerprintOf(credentials.rootPublicKey);
    const joined = await mesh.join(formatToken({ fingerprint, secret, addresses: targets })).then(
      () => true,
      () => false,
    );
    await mesh.close();
    if (joined) throw new GamError("REFUSED", "a secret made of the state let a host in");
  }
}

function node(id: NodeId, role: "manager" | "worker"): NewNode {
  return {
    ID: id,
    Spec: { Labels: {}, Role: role, Availability: "active" },
    Description: {
      Hostname: "evil",
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 1e9, MemoryBytes: 1e9 },
      Engine: { EngineVersion: "20.10.24", Labels: {}, Plugins: [] },
    },
    Status: { State: "ready", Addr: "10.66.66.66" },
    Gam: {
      addresses: ["10.66.66.66:7946"],
      engine: { ready: true, reason: "" },
      engineLostAtMs: 0,
    },
  };
}

const stranger = "z".repeat(25) as NodeId;
const ballot = { lastIndex: 2 ** 40, lastTerm: 50 };
const committed = { index: 2 ** 40, indexTerm: 2 ** 40 };
const garbage = Uint8Array.from([0xc1, 0xff, 0x00, 0x7f]);

function describe(id: NodeId, change: object = {}): unknown {
  const { Description: description, Gam } = node(id, "worker");
  const network = { mtu: 1500, routes: [], encryption: "none", publicKey: "", problem: "" };
  const said = { description, addresses: Gam.addresses, engine: Gam.engine, network };
  return { kind: "describeNode", id, ...said, ...change };
}

function spec(of: Node, role: "manager" | "worker"): Change {
  const { ID: id, Version, Spec } = of;
  return { kind: "updateNode", id, spec: { ...Spec, Role: role }, basedOn: Version.Index };
}

function raft(name: string, message: object, named: RegExp | undefined): Attack {
  return { name, named, run: (attacker) => attacker.sayOfLog("raft", message) };
}

function change(
  name: string,
  named: RegExp | undefined,
  make: (attacker: Attacker) => readonly unknown[],
): Attack {
  return { name, named, run: (attacker) => attacker.propose(...make(attacker)) };
}

const sealingKey = { ID: "k".repeat(25), Sealed: {} };
const token = { PublicKey: base64(new Uint8Array(32)), Sealed: {} };
const overlay = (gam: object): unknown => ({
  Id: stranger,
  Name: "evil",
  Scope: "swarm",
  Driver: "overlay",
  EnableIPv6: false,
  IPAM: { Driver: "default", Options: null, Config: [] },
  Internal: false,
  Attachable: true,
  Ingress: false,
  ConfigFrom: { Network: "" },
  ConfigOnly: false,
  Labels: {},
  Gam: { vni: 0, gateways: {}, attachments: {} },
  ...gam,
});
const service = (name: string): object => ({
  Name: name,
  TaskTemplate: { ContainerSpec: { Image: "evil:1" } },
  Mode: { Replicated: { Replicas: 100 } },
});

const elections: readonly Attack[] = [
  raft(
    "a heartbeat of the last term",
    { kind: "heartbeat", term: lateTerm, ...committed, round: 1 },
    /heartbeat is for managers/,
  ),
  raft(
    "a heartbeat of the next term",
    { kind: "heartbeat", term: 50, ...committed, round: 1 },
    /heartbeat is for managers/,
  ),
  raft(
    "a vote that protects itself",
    { kind: "vote", term: lateTerm, ...ballot, transfer: true },
    /vote is for managers/,
  ),
  raft("a pre-vote", { kind: "preVote", term: 60, ...ballot }, /preVote is for managers/),
  raft(
    "entries that do not decode",
    {
      kind: "append",
      term: 70,
      previousIndex: 0,
      previousTerm: 0,
      commit: 2 ** 40,
      entries: [{ index: 1, term: 70, kind: "data", data: garbage }],
    },
    /append is for managers/,
  ),
  raft("a commit", { kind: "commit", term: 80, ...committed }, /commit is for managers/),
  raft(
    "a snapshot with a state made up",
    {
      kind: "snapshotChunk",
      term: 90,
      ...committed,
      configuration: { voters: [stranger], votersOutgoing: [], learners: [], standbys: [] },
      totalBytes: garbage.length,
      offset: 0,
      data: garbage,
    },
    /snapshotChunk is for managers/,
  ),
  raft("an order to stand", { kind: "standNow", term: 1 }, /standNow is for managers/),
  raft(
    "an answer to a read",
    { kind: "readReply", term: 1, id: "x", index: 1 },
    /readReply is for managers/,
  ),
  raft(
    "an answer of the last term",
    { kind: "appendReply", term: lateTerm, match: 1 },
    /appendReply of a later term is for managers/,
  ),
  raft(
    "a beat of the last term",
    { kind: "heartbeatReply", term: lateTerm, round: 1 },
    /heartbeatReply of a later term/,
  ),
  raft(
    "a yes of the last term",
    { kind: "voteReply", term: lateTerm, granted: true },
    /voteReply of a later term/,
  ),
  raft(
    "a term beyond all terms",
    { kind: "heartbeat", term: 2 ** 60, ...committed, round: 1 },
    /Cannot read/,
  ),
  raft("no Raft at all", { kind: "abdicate" }, /Cannot read/),
  raft("a log that it has not got", { kind: "appendReply", term: 1, match: 2 ** 40 }, undefined),
];

const proposals: readonly Attack[] = [
  change("its own promotion", /updateNode is for managers/, ({ view, self }) => {
    const own = view.node(self);
    return own === undefined ? [] : [spec(own, "manager")];
  }),
  change("the demotion of a manager", /updateNode is for managers/, ({ victim }) => [
    spec(victim, "worker"),
  ]),
  change("the removal of a manager", /removeNode is about another node/, ({ victim }) => [
    { kind: "removeNode", id: victim.ID },
  ]),
  change("the removal of a worker", /removeNode is about another node/, ({ neighbour }) => [
    { kind: "removeNode", id: neighbour.ID },
  ]),
  change("a manager that has not joined", /joinNode is for managers/, () => [
    { kind: "joinNode", node: node(stranger, "manager") },
  ]),
  change("itself as a manager", /joinNode is for managers/, ({ self }) => [
    { kind: "joinNode", node: node(self, "manager") },
  ]),
  change("a service", /createService is for managers/, () => [
    { kind: "createService", id: stranger, spec: service("evil") },
  ]),
  change("a service whose id is no id", /createService is for managers|Cannot read/, () => [
    { kind: "createService", id: "x } table ip evil {", spec: service("evil") },
  ]),
  change("other settings", /updateCluster is for managers/, ({ view }) => [
    {
      kind: "updateCluster",
      spec: { ...clusterSpecDefault, Labels: { evil: "yes" } },
      basedOn: view.cluster?.Version.Index ?? 0,
    },
  ]),
  change("a policy", /setPolicy is for managers/, ({ view }) => [
    {
      kind: "setPolicy",
      policy: { privileged: ["*"] },
      basedOn: view.cluster?.Version.Index ?? 0,
    },
  ]),
  change("its own tokens", /rotateTokens is for managers/, () => [
    { kind: "rotateTokens", worker: token, manager: token },
  ]),
  change("its own root key", /rotateRoot is for managers/, ({ view }) => [
    {
      kind: "rotateRoot",
      root: view.cluster?.RootPublicKey ?? "",
      next: { PublicKey: token.PublicKey, Signature: base64(new Uint8Array(64)) },
      tokens: { Worker: token, Manager: token },
      keys: [sealingKey],
    },
  ]),
  change("another cluster", /createCluster is for the first peer/, () => [
    {
      kind: "createCluster",
      cluster: {
        ID: stranger,
        Spec: clusterSpecDefault,
        Tokens: { Worker: token, Manager: token },
        RootPublicKey: token.PublicKey,
        SealingKeys: [sealingKey],
        ...dataPathDefault,
      },
    },
  ]),
  change("a network", /createNetwork is for managers/, () => [
    { kind: "createNetwork", network: overlay({ Options: {} }) },
  ]),
  change("a network without options", /createNetwork is for managers|Cannot read/, () => [
    { kind: "createNetwork", network: overlay({}) },
  ]),
  change("the end of ingress", /removeNetwork is for managers/, ({ view }) => [
    { kind: "removeNetwork", id: view.networks()[0]?.Id ?? stranger },
  ]),
  change("what a manager is", /describeNode is about another node/, ({ victim }) => [
    describe(victim.ID),
  ]),
  change("an address that is not its own", /has the address "10.66.66.66:7946"/, ({ self }) => [
    describe(self),
  ]),
  change("a node without a network", /Cannot read/, ({ self }) => [
    describe(self, { network: undefined }),
  ]),
  change("a network that is none", /Cannot read/, ({ self }) => [
    describe(self, { network: { mtu: "x", routes: "all", encryption: 1 } }),
  ]),
  change("the end of another's task", /which is not its own/, ({ view, self }) => {
    const task = view.tasks().find(({ NodeID }) => NodeID !== self);
    const status = { Timestamp: new Date().toISOString(), State: "failed" };
    return [{ kind: "reportTask", id: task?.ID ?? stranger, status }];
  }),
  change("a container of another node", /attachContainer is about a container of/, (attacker) => [
    {
      kind: "attachContainer",
      network: attacker.view.networks()[0]?.Id ?? stranger,
      key: stranger,
      node: attacker.victim.ID,
      name: "evil",
    },
  ]),
  change("a manager called down", /judgeNode is for the leader alone/, ({ victim }) => [
    { kind: "judgeNode", id: victim.ID, status: { State: "down" } },
  ]),
  change("the end of a rotation", /endRootRotation is for the leader alone/, () => [
    { kind: "endRootRotation", publicKey: token.PublicKey },
  ]),
  change("its own gateways", /setGateways is for the leader alone/, ({ view }) => [
    { kind: "setGateways", id: view.networks()[0]?.Id ?? stranger, gateways: { [stranger]: "" } },
  ]),
  change("a crown hidden behind a legal word", /updateNode is for managers/, (attacker) => {
    const own = attacker.view.node(attacker.self);
    const legal = { kind: "detachContainer", network: stranger, key: stranger };
    return own === undefined ? [] : [legal, spec(own, "manager")];
  }),
  {
    name: "writes without end",
    named: /more writes than a worker may ask for/,
    run: (attacker) => {
      const nothing = { kind: "detachContainer", network: stranger, key: stranger };
      for (let n = 0; n < 400; n += 1) attacker.propose(nothing);
    },
  },
  change("a change that is none", /Cannot read/, () => [{ kind: "crown", id: stranger }]),
  change("a time that is none", /Cannot read/, () => [undefined]),
];

const rumours: readonly Attack[] = [
  {
    name: "everybody else called lost",
    named: undefined,
    run: (attacker) => {
      for (let sequence = 1; sequence <= 40; sequence += 1) {
        const opinions = attacker.view.nodes().map(({ ID }) => {
          return { peer: ID, opinion: "silent", incarnation: sequence };
        });
        const own = { sequence: 10_000 + sequence, incarnation: 0, health: 0, repeatTicks: 1000 };
        attacker.publish("rumour", { ...own, opinions });
      }
    },
  },
  {
    name: "an incarnation out of its range",
    named: undefined,
    run: (attacker) => {
      attacker.say("member", { kind: "ping", round: 1, incarnation: 0, accused: 2 ** 48 });
      const opinions = attacker.managers.map(({ ID }) => {
        return { peer: ID, opinion: "gone", incarnation: 2 ** 48 };
      });
      const own = { sequence: 20_000, incarnation: 0, health: 0, repeatTicks: 1000 };
      attacker.publish("rumour", { ...own, opinions });
    },
  },
  {
    name: "usage that is none",
    named: /Cannot read/,
    run: (attacker) => attacker.publish("usage", { cpu: "all", memoryBytes: -1 }),
  },
  {
    name: "no word of the members' protocol",
    named: /Cannot read/,
    run: (attacker) => attacker.say("member", { kind: "sing" }),
  },
];

const doors: readonly Attack[] = [
  {
    name: "containers of others",
    named: /containers are for managers/,
    run: (attacker) => attacker.stream("containers", {}),
  },
  {
    name: "a secret of another node's task",
    named: /^secret "\w+": .* is not its own$/,
    run: (attacker) => {
      const secret = { id: attacker.view.secrets()[0]?.ID ?? "0".repeat(25), content: 1 };
      return attacker.askContents({ secrets: [secret], credentials: false });
    },
  },
  {
    name: "the registry credentials of another node's task",
    named: /^registry credentials of "\w+": .* is not its own$/,
    run: (attacker) => attacker.askContents({ secrets: [], credentials: true }),
  },
  {
    name: "an unknown request",
    named: undefined,
    run: (attacker) => attacker.request("crown"),
  },
  {
    name: "a token made of the key that verifies it",
    named: /the token is wrong or was rotated/,
    run: (attacker) => {
      const key = Buffer.from(attacker.view.cluster?.Tokens.Manager.PublicKey ?? "", "base64");
      return attacker.join(key.toString("hex").slice(0, 25));
    },
  },
  {
    name: "a token made of what is sealed",
    named: /the token is wrong or was rotated/,
    run: (attacker) => {
      const [sealed = ""] = Object.values(attacker.view.cluster?.Tokens.Manager.Sealed ?? {});
      return attacker.join(Buffer.from(sealed, "base64").toString("hex").slice(12, 37));
    },
  },
];

export const attacks: readonly Attack[] = [...elections, ...proposals, ...rumours, ...doors];
