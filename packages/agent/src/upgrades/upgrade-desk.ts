/**
 * Upgrade desk: shows which gam each host runs, sends packages to hosts, and has them installed there.
 *
 * Decides who may have a package installed here: managers only. They can start any container on any host, so this
 * is no new power (docs/decisions/0050). Decides what may be installed: a package with the right sum, for this
 * machine, of the kind that this host has, that can read the log. The order of the hosts is up to the gam command.
 */
import { existsSync } from "node:fs";
import { type Duplex, PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { UpgradeDoor } from "@gam/api";
import {
  check,
  decode,
  encode,
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
} from "@gam/core";
import { type Mesh, whyUnreachable } from "@gam/mesh";
import { type Peer, roleOf } from "@gam/peer";
import { spokenDialect, type View } from "@gam/state";
import {
  aPackageSum,
  checkHostGam,
  checkPackage,
  type GamPackage,
  type GivenPackage,
  type HostGam,
  misfit,
  packageForm,
  type UpgradeHost,
  type UpgradeReport,
} from "@gam/state/answers";
import { UploadRate } from "../images/upload-rate.ts";
import { earlierPackage } from "./earlier-package.ts";
import { Installer } from "./installer.ts";
import type { OwnPackage } from "./own-package.ts";
import { PackageStore } from "./package-store.ts";

const orders = "upgrade";
const packages = "package";
const answerMs = 10_000;
/** How long a package may take before the caller hears "going". */
const patienceMs = 5_000;

type Order =
  | { readonly kind: "look" }
  | { readonly kind: "install"; readonly sha256: string; readonly back: boolean };

const checkOrder = check.union<Order>({
  look: check.object({ kind: check.literal("look") }),
  install: check.object({
    kind: check.literal("install"),
    sha256: aPackageSum,
    back: check.boolean,
  }),
});

interface Giving {
  bytes: number;
  /** Undefined while it goes on. */
  end: Omit<GivenPackage, "bytes"> | undefined;
  readonly over: Promise<void>;
}

export interface UpgradeDeskParts {
  readonly self: NodeId;
  readonly own: OwnPackage;
  readonly store: PackageStore;
  readonly installer: Pick<Installer, "state" | "begin">;
  readonly mesh: Pick<Mesh, "request" | "handle" | "stream" | "handleStream" | "sender" | "refuse">;
  readonly view: () => View;
  readonly peer: Pick<Peer, "leader" | "hears"> & {
    readonly raft: { readonly configuration: { readonly voters: readonly NodeId[] } };
  };
  /** How fast packages go to other hosts. */
  readonly rate: UploadRate;
  readonly log: { info(fields: object, message: string): void };
}

export class UpgradeDesk implements UpgradeDoor {
  readonly #parts: UpgradeDeskParts;
  readonly #giving = new Map<string, Giving>();

  /** As the constructor, with the packages that this host keeps. */
  static open({
    config,
    ...around
  }: Omit<UpgradeDeskParts, "store" | "installer" | "rate"> & {
    readonly config: {
      readonly packagesDir: string;
      readonly socket: string;
      readonly imageBytesPerSecond: number;
    };
  }): UpgradeDesk {
    const store = new PackageStore(config.packagesDir);
    const hasSystemd = existsSync("/run/systemd/system");
    const { own } = around;
    const installer = new Installer({ own, store, socket: config.socket, hasSystemd });
    const rate = new UploadRate(config.imageBytesPerSecond);
    return new UpgradeDesk({ ...around, store, installer, rate });
  }

  /** Starts to take orders and packages of other hosts. */
  constructor(parts: UpgradeDeskParts) {
    this.#parts = parts;
    parts.mesh.handle(orders, (from, body) => this.#serve(from, body));
    parts.mesh.handleStream(packages, (from, header, stream) => this.#take(from, header, stream));
  }

  async report(): Promise<UpgradeReport> {
    const { self, view, peer } = this.#parts;
    const applied = view().index;
    const voters = peer.raft.configuration.voters;
    const leader = peer.leader ?? null;
    const hosts = view()
      .nodes()
      .map(async ({ ID, Description, Spec, Status, Gam }): Promise<UpgradeHost> => {
        const isVoter = voters.includes(ID);
        const standby = Spec.Role === "worker" ? "worker" : "learner";
        return {
          id: ID,
          hostname: Description.Hostname || ID,
          role: ID === leader ? "leader" : isVoter ? "voter" : standby,
          state: Status.State,
          heard: ID === self || peer.hears(ID),
          engine: Gam.engine.ready,
          ...(await this.#lookOr(ID)),
        };
      });
    const autolock = view().cluster?.UnlockKey !== undefined;
    return { self, leader, autolock, applied, voters, hosts: await Promise.all(hosts) };
  }

  /** Keeps a package on this host. Errors: as PackageStore.take(); REFUSED for a wrong name. */
  async take(name: string, sha256: string, content: Readable): Promise<GamPackage> {
    if (packageForm(name) === undefined) {
      throw new GamError(
        "REFUSED",
        `Cannot take "${name}": it is neither gam_VERSION_MACHINE.deb nor gam-VERSION-linux-MACHINE.tar.gz`,
      );
    }
    return await this.#parts.store.take(name, sha256, content);
  }

  /** Sends a package of this host to another one. Answers within some seconds, also while it goes on. */
  async give(node: NodeId, sha256: string): Promise<GivenPackage> {
    const key = `${node} ${sha256}`;
    let giving = this.#giving.get(key);
    if (giving === undefined) {
      const { kept } = await this.#look(node);
      if (kept.some((one) => one.sha256 === sha256)) return { state: "done", bytes: 0, reason: "" };
      giving = this.#giving.get(key) ?? this.#begin(node, sha256);
      this.#giving.set(key, giving);
    }
    const ended = new AbortController();
    const waited = pause(patienceMs, undefined, { signal: ended.signal }).catch(rethrowInvariant);
    await Promise.race([giving.over, waited]);
    ended.abort();
    const { bytes, end } = giving;
    if (end === undefined) return { state: "going", bytes, reason: "" };
    this.#giving.delete(key);
    return { ...end, bytes };
  }

  /** Resolves when the installation has begun there. Errors: those of #install(); UNREACHABLE. */
  async install(node: NodeId, sha256: string, back: boolean): Promise<void> {
    if (node === this.#parts.self) await this.#install(sha256, back);
    else await this.#order(node, { kind: "install", sha256, back });
  }

  async #lookOr(node: NodeId): Promise<Pick<UpgradeHost, "gam" | "problem">> {
    try {
      return { gam: await this.#look(node), problem: "" };
    } catch (thrown) {
      rethrowInvariant(thrown);
      return { gam: null, problem: whyUnreachable(messageOf(thrown)) };
    }
  }

  async #look(node: NodeId): Promise<HostGam> {
    const { self } = this.#parts;
    if (node === self) return await this.#ownGam();
    return checkHostGam(await this.#order(node, { kind: "look" }), "answer about gam");
  }

  async #order(node: NodeId, order: Order): Promise<unknown> {
    const { mesh } = this.#parts;
    return decode(
      await mesh.request(node, { name: orders, body: encode(order), timeoutMs: answerMs }),
    );
  }

  async #ownGam(): Promise<HostGam> {
    const { own, store, installer, view } = this.#parts;
    const kept = await store.list();
    return {
      version: own.version,
      dialect: spokenDialect.newest,
      machine: own.machine,
      kind: own.kind,
      applied: view().index,
      ...(await installer.state()),
      kept,
      earlier: earlierPackage(own.version, kept, await store.marks()),
    };
  }

  async #serve(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const order = checkOrder(decode(body), "order about gam");
    this.#insist(from);
    if (order.kind === "look") return encode(await this.#ownGam());
    await this.#install(order.sha256, order.back);
    return encode({});
  }

  /** Errors: REFUSED. */
  #insist(from: NodeId): void {
    const { mesh, view } = this.#parts;
    const sender = mesh.sender(from);
    if (sender !== undefined && roleOf(view(), { id: from, sender }) === "manager") return;
    mesh.refuse(from, "orders about gam are for managers");
    throw new GamError("REFUSED", "Cannot give orders about gam as a worker");
  }

  /** Errors: NOT_FOUND, NOT_SUPPORTED, with what to do; those of Installer.begin(). */
  async #install(sha256: string, back: boolean): Promise<void> {
    const { own, store, installer, log } = this.#parts;
    const kept = (await store.list()).find((one) => one.sha256 === sha256);
    if (kept === undefined) {
      throw new GamError(
        "NOT_FOUND",
        `Cannot install package ${sha256}: this host does not keep it`,
      );
    }
    const problem = misfit(kept, { ...own, dialect: spokenDialect.newest });
    if (problem !== undefined) {
      throw new GamError("NOT_SUPPORTED", `Cannot install ${kept.name}: ${problem}`);
    }
    await installer.begin(kept, back);
    log.info({ package: kept.name, version: kept.version }, "Another gam is being installed");
  }

  #begin(node: NodeId, sha256: string): Giving {
    const giving: Giving = {
      bytes: 0,
      end: undefined,
      over: this.#give(node, sha256, (bytes) => {
        giving.bytes += bytes;
      }).then(
        () => {
          giving.end = { state: "done", reason: "" };
        },
        (thrown: unknown) => {
          rethrowInvariant(thrown);
          giving.end = { state: "failed", reason: messageOf(thrown) };
        },
      ),
    };
    return giving;
  }

  async #give(node: NodeId, sha256: string, sent: (bytes: number) => void): Promise<void> {
    const { store, mesh, rate } = this.#parts;
    const { about, content } = await store.open(sha256);
    const stream = await mesh.stream(node, packages, encode(about));
    const answered = textOf(stream);
    const counted = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of pieces) {
        await rate.take(piece.length);
        sent(piece.length);
        yield piece;
      }
    };
    await Promise.all([pipeline(content, counted, stream), answered]);
    if ((await answered) !== "kept") {
      throw new GamError("UNREACHABLE", "Cannot send the package: the host did not confirm it");
    }
  }

  async #take(from: NodeId, header: Uint8Array, stream: Duplex): Promise<void> {
    this.#insist(from);
    const { name, sha256 } = checkPackage(decode(header), "package");
    // Reading a Duplex to its end destroys it, and the answer is still to be sent.
    const content = new PassThrough();
    stream.on("error", (thrown) => content.destroy(thrown));
    stream.on("close", () => {
      if (!stream.readableEnded) content.destroy(new Error("the peer hung up"));
    });
    stream.pipe(content);
    await this.#parts.store.take(name, sha256, content);
    stream.end("kept");
  }
}

async function textOf(stream: Duplex): Promise<string> {
  const limit = 64;
  return await new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (piece: Buffer) => {
      text = (text + piece.toString()).slice(0, limit);
    });
    stream.once("end", () => resolve(text));
    stream.once("error", reject);
    stream.once("close", () => resolve(text));
  });
}
