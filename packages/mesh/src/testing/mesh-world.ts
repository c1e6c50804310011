/**
 * MeshWorld: meshes on loopback with one shared list of members, for tests and the benchmark.
 *
 * Waiting is always for an event, with a guard that names what did not happen.
 */
import { GamError, type NodeId } from "@gam/core";
import { Mesh } from "../mesh.ts";
import { type Credentials, createCluster, fingerprintOf } from "../trust/credentials.ts";
import type { JoinRequest, Logger, Member, MeshDoor, MeshOptions, Roots } from "../trust/door.ts";
import { type Identity, makeIdentity } from "../trust/identity.ts";
import { formatToken, makeSecret, tokenKeyOf } from "../trust/token.ts";

export interface LogLine {
  readonly text: string;
  readonly fields: Record<string, unknown>;
}

export interface MeshPeer {
  readonly mesh: Mesh;
  readonly identity: Identity;
  readonly nodeId: NodeId;
  readonly lines: LogLine[];
  readonly renewed: Credentials[];
}

const guardMs = 15_000;

/** Resolves when `begin` calls back with a value; rejects with `what` when that takes too long. */
export function until<T>(what: string, begin: (done: (value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Gave up waiting for ${what}`)), guardMs);
    begin((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

export class MeshWorld {
  readonly members = new Map<NodeId, Member>();
  readonly removed = new Set<NodeId>();
  readonly requests: JoinRequest[] = [];
  readonly #peers: MeshPeer[] = [];
  readonly #onLine = new Set<(line: LogLine) => void>();
  readonly #onKept = new Set<() => void>();
  secrets = { manager: makeSecret(), worker: makeSecret() };
  roots: Roots | undefined;
  /** Index of the state that all peers have. */
  index = 1;
  /** Set it to refuse joiners, as the agent would. */
  objection: GamError | undefined;

  /** A peer that is in no cluster, unless `options` has credentials. */
  async open(options: Partial<MeshOptions> = {}): Promise<MeshPeer> {
    const identity = options.identity ?? (await makeIdentity());
    const lines: LogLine[] = [];
    const renewed: Credentials[] = [];
    const mesh = await Mesh.open({
      listen: { host: "127.0.0.1", port: 0 },
      log: this.#log(lines),
      door: this.#door(renewed),
      ...options,
      limits: { joinBurst: 1_000, ...options.limits },
      identity,
    });
    const peer: MeshPeer = { mesh, identity, nodeId: identity.nodeId, lines, renewed };
    this.#peers.push(peer);
    return peer;
  }

  /** The first manager. */
  async found(options: Partial<MeshOptions> = {}): Promise<MeshPeer> {
    const identity = options.identity ?? (await makeIdentity());
    const credentials = createCluster(identity, Date.now());
    const peer = await this.open({ ...options, identity, credentials });
    this.#enter({ nodeId: peer.nodeId, role: "manager", addresses: peer.mesh.addresses() });
    return peer;
  }

  token(at: MeshPeer, role: "manager" | "worker" = "manager"): string {
    const { credentials } = at.mesh;
    if (credentials === undefined) throw new GamError("NOT_MEMBER", "Cannot make token");
    const fingerprint = fingerprintOf(credentials.rootPublicKey);
    return formatToken({
      fingerprint,
      secret: this.secrets[role],
      addresses: at.mesh.addresses(),
    });
  }

  /** `count` managers, each connected to each. */
  async mesh(count: number, options: Partial<MeshOptions> = {}): Promise<MeshPeer[]> {
    const first = await this.found(options);
    const peers = [first];
    while (peers.length < count) {
      const next = await this.open(options);
      await next.mesh.join(this.token(first));
      peers.push(next);
    }
    const met = peers.flatMap((one) =>
      peers.filter((other) => other !== one).map((other) => this.connected(one, other)),
    );
    this.introduce(peers);
    await Promise.all(met);
    return peers;
  }

  /** Tells each peer about every member. */
  introduce(peers: readonly MeshPeer[]): void {
    for (const { mesh } of peers) mesh.setPeers([...this.members.values()]);
  }

  connected(at: MeshPeer, other: MeshPeer): Promise<void> {
    return until(
      `${at.nodeId} to connect to ${other.nodeId}`,
      (done: (value: undefined) => void) => {
        const look = (): void => {
          const row = at.mesh.peers().find(({ nodeId }) => nodeId === other.nodeId);
          if (row?.state === "connected") done(undefined);
        };
        at.mesh.onReach(look);
        look();
      },
    );
  }

  reach(
    at: MeshPeer,
    other: NodeId,
    reach: "connected" | "disconnected" | "refused",
  ): Promise<void> {
    return until(`${at.nodeId} to find ${other} ${reach}`, (done: (value: undefined) => void) => {
      at.mesh.onReach((peer, found) => {
        if (peer === other && found === reach) done(undefined);
      });
    });
  }

  /** Resolves with the first log line, past or future, with this text and these fields. */
  logged(text: string, fields: Record<string, unknown>): Promise<LogLine> {
    const fits = (line: LogLine): boolean =>
      line.text === text &&
      Object.entries(fields).every(([key, value]) => line.fields[key] === value);
    return until(`log line "${text}" with ${JSON.stringify(fields)}`, (done) => {
      const known = this.#peers.flatMap(({ lines }) => lines).find(fits);
      if (known !== undefined) return done(known);
      this.#onLine.add((line) => {
        if (fits(line)) done(line);
      });
    });
  }

  /** Resolves when the peer's last credentials fit. */
  kept(
    { nodeId, renewed }: MeshPeer,
    what: string,
    fits: (credentials: Credentials) => boolean,
  ): Promise<Credentials> {
    return until(`${nodeId} to keep ${what}`, (done) => {
      const look = (): void => {
        const last = renewed.at(-1);
        if (last !== undefined && fits(last)) done(last);
      };
      this.#onKept.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.map(({ mesh }) => mesh.close()));
  }

  #enter(member: Member): void {
    this.members.set(member.nodeId, member);
    this.removed.delete(member.nodeId);
  }

  #door(renewed: Credentials[]): MeshDoor {
    return {
      tokenKeys: () => ({
        manager: tokenKeyOf(this.secrets.manager),
        worker: tokenKeyOf(this.secrets.worker),
      }),
      certificateLifeMs: () => 90 * 86_400_000,
      index: () => this.index,
      members: () => [...this.members.values()],
      isRemoved: (nodeId) => this.removed.has(nodeId),
      onJoinRequest: async (request) => {
        if (this.objection !== undefined) throw this.objection;
        this.requests.push(request);
        this.#enter(request);
      },
      roots: () => this.roots,
      onRenewed: async (credentials) => {
        renewed.push(credentials);
        for (const hear of this.#onKept) hear();
      },
    };
  }

  #log(lines: LogLine[]): Logger {
    const add = (fields: object, text: string): void => {
      const line = { text, fields: { ...fields } };
      lines.push(line);
      for (const hear of this.#onLine) hear(line);
    };
    return { debug: add, info: add, warn: add, error: add };
  }
}
