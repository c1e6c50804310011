/**
 * Attachments: addresses in the cluster's networks for containers of this engine that are not tasks.
 *
 *   attach() -> the engine makes the container -> settle(), or giveBack() when it does not
 *
 * Decides when an attachment begins and ends: it lasts as long as a container of the engine, running or not, is
 * configured with its address. Does not decide which address: the leader does.
 */
import { GamError, messageOf, type NetworkId } from "@gam/core";
import { type HeldEndpoint, type Network, staleAttachments, type View } from "@gam/state";
import type { ApiLog } from "../door/api-log.ts";
import type { ClusterDoor } from "../door/door.ts";
import { ApiError } from "../request/api-error.ts";
import { fieldsOf, textOf } from "../request/fields.ts";
import { awaitView } from "./await-view.ts";
import { type Engine, missing } from "./engine.ts";
import { type EngineNetwork, engineNetwork, engineNetworks, listOf } from "./engine-networks.ts";

/** The leader's answer takes two round trips, and an election may come in between. */
const placeMsMax = 10_000;

export interface Attached {
  readonly key: string;
  readonly network: NetworkId;
  /** IPv4 without prefix. */
  readonly address: string;
  /** This node's gateway, which also answers DNS. */
  readonly gateway: string;
  readonly engine: EngineNetwork;
  /** The container's name in the network, or what stands for it until the engine has chosen one. */
  readonly name: string;
  readonly aliases: readonly string[];
}

export interface AttachWish {
  /** The container's name; "" if the engine chooses one. */
  readonly name: string;
  /** IPv4 without prefix. */
  readonly address: string | undefined;
  readonly aliases: readonly string[];
}

export class Attachments {
  readonly #door: ClusterDoor;
  readonly #engine: Engine;
  readonly #log: ApiLog;
  /** Attachments whose containers do not exist yet. */
  readonly #held = new Set<string>();
  #sweeping: Promise<void> | undefined;
  #again = false;

  constructor(door: ClusterDoor, engine: Engine, log: ApiLog) {
    this.#door = door;
    this.#engine = engine;
    this.#log = log;
  }

  /**
   * Returns: a new attachment to the network, with the leader's address.
   *
   * Errors: ApiError 403 unless the network is attachable, 503 if the leader assigns no address in time;
   *         those of propose(), for a wish that cannot be granted, and ensureNetwork().
   */
  async attach(
    { Id: network, Name, Attachable }: Network,
    { name, address, aliases }: AttachWish,
  ): Promise<Attached> {
    if (!Attachable) throw notAttachable(Name);
    // The container that had this address may just have been deleted.
    if (address !== undefined) await this.sweep();
    const key = this.#door.mint();
    const node = this.#door.self;
    this.#held.add(key);
    try {
      const names = { name: name || key.slice(0, 12), aliases };
      await this.#door.propose([
        { kind: "attachContainer", network, key, node, wish: address, ...names },
      ]);
      const place = await awaitView(
        this.#door,
        (view) => {
          const found = view.network(network);
          return found?.Gam.attachments[key] === undefined ? "gone" : placeOf(found, key, node);
        },
        placeMsMax,
      );
      if (place === "gone") throw tooLate(Name, address);
      if (place === undefined) throw noPlace(Name, this.#door.view().node(node)?.Gam.network);
      await this.#door.ensureNetwork(network);
      const engine = await engineNetwork(this.#engine, network);
      if (engine === undefined) {
        const message = `Could not attach to network ${Name}: the engine has no network for it. Try again`;
        throw new GamError("ENGINE_FAILED", message);
      }
      return { key, network, engine, ...names, ...place };
    } catch (thrown) {
      await this.giveBack([{ key, network }]);
      throw thrown;
    }
  }

  /** Marks the containers as created: from now on they keep their attachments. */
  settle(attached: readonly Pick<Attached, "key">[]): void {
    for (const { key } of attached) this.#held.delete(key);
  }

  /**
   * Adds the names that a container gets only with its creation: its short id, and a name that the engine chose.
   * Without a leader they stay names on this node, which its engine resolves.
   */
  async introduce(
    attached: readonly Pick<Attached, "key" | "network" | "name" | "aliases">[],
    { id, name }: { readonly id: string; readonly name: string | undefined },
  ): Promise<void> {
    const node = this.#door.self;
    const changes = attached.map((one) => {
      const { key, network } = one;
      const names = { name: name ?? one.name, aliases: withShortId(one.aliases, id) };
      return { kind: "attachContainer", network, key, node, ...names } as const;
    });
    await this.#propose(changes, "Could not add names of a container");
  }

  /** Creation failed: releases the addresses. If that fails too, the next sweep retries. */
  async giveBack(attached: readonly Pick<Attached, "key" | "network">[]): Promise<void> {
    this.settle(attached);
    const view = this.#door.view();
    const known = attached.filter(({ key, network }) => {
      return view.network(network)?.Gam.attachments[key] !== undefined;
    });
    if (known.length === 0) return;
    await this.#propose(
      known.map(({ key, network }) => ({ kind: "detachContainer", network, key }) as const),
    );
  }

  /**
   * Releases the addresses of deleted containers. Resolves when a sweep that began after the call has ended. If
   * the engine does not answer, it releases nothing, because the containers may still exist.
   */
  async sweep(): Promise<void> {
    this.#again = true;
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = undefined;
    });
    await this.#sweeping;
  }

  async #sweepAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#sweepOnce();
    }
  }

  async #sweepOnce(): Promise<void> {
    // Read these before asking the engine: then a container that is created meanwhile is in neither.
    const networks = this.#door.view().networks();
    const held = new Set(this.#held);
    const node = this.#door.self;
    if (!networks.some(({ Gam }) => hasAttachment(Gam.attachments, node))) return;
    const endpoints = await this.#endpoints();
    if (endpoints === undefined) return;
    const stale = staleAttachments(networks, node, { endpoints, held });
    if (stale.length > 0) await this.#propose(stale);
  }

  /** Returns: the addresses that containers have; `undefined` if the engine does not answer. */
  async #endpoints(): Promise<readonly HeldEndpoint[] | undefined> {
    const networks = await engineNetworks(this.#engine);
    const containers = listOf(
      await this.#engine.ask("GET", "/containers/json?all=1").catch(missing),
    );
    if (networks === undefined || containers === undefined) return undefined;
    return containers.flatMap((container) =>
      endpointsOf(container).flatMap(({ name, id, address }) => {
        const ours = networks.find((one) => one.id === id || one.name === name);
        return ours === undefined ? [] : [{ network: ours.network, address }];
      }),
    );
  }

  async #propose(
    changes: Parameters<ClusterDoor["propose"]>[0],
    failure = "Could not release addresses of containers yet",
  ): Promise<void> {
    try {
      await this.#door.propose(changes);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      const reason = messageOf(thrown);
      this.#log.warn({ reason }, failure);
    }
  }
}

/** As in Swarm, a container's id as it is shown to people is one of its names. */
export function withShortId(aliases: readonly string[], id: string): readonly string[] {
  return [...new Set([...aliases, id.slice(0, 12)])].filter((one) => one !== "");
}

/** Swarm's text. */
function notAttachable(name: string): ApiError {
  const inner = `rpc error: code = PermissionDenied desc = network ${name} not manually attachable`;
  return new ApiError(403, `Could not attach to network ${name}: ${inner}`);
}

function tooLate(name: string, address: string | undefined): ApiError {
  const why =
    address === undefined
      ? "it was removed"
      : `address ${address} was assigned to another container. Choose another one`;
  return new ApiError(409, `Could not attach to network ${name}: ${why}`);
}

function noPlace(name: string, own: { readonly problem: string } | undefined): ApiError {
  const why = own?.problem || "the leader assigned no address. Its subnet may be full";
  return new ApiError(503, `Could not attach to network ${name}: ${why}`);
}

function placeOf(
  network: Network | undefined,
  key: string,
  node: keyof Network["Gam"]["gateways"],
): Pick<Attached, "address" | "gateway"> | undefined {
  const address = network?.Gam.attachments[key]?.address ?? "";
  const gateway = network?.Gam.gateways[node] ?? "";
  return address === "" || gateway === "" ? undefined : { address, gateway };
}

function hasAttachment(
  attachments: Network["Gam"]["attachments"],
  node: ReturnType<View["nodes"]>[number]["ID"],
): boolean {
  return Object.values(attachments).some((one) => one.node === node);
}

/** Returns: the networks of a container as the engine lists it, each with its configured address. */
function endpointsOf(
  container: unknown,
): readonly { readonly name: string; readonly id: string; readonly address: string }[] {
  const { Networks } = fieldsOf(fieldsOf(container).NetworkSettings);
  return Object.entries(fieldsOf(Networks)).flatMap(([name, found]) => {
    const { NetworkID, IPAddress, IPAMConfig } = fieldsOf(found);
    const address = textOf(fieldsOf(IPAMConfig).IPv4Address) || textOf(IPAddress);
    return address === "" ? [] : [{ name, id: textOf(NetworkID), address }];
  });
}
