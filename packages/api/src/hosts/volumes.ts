/**
 * Volumes: finds the host whose engine has a volume, and asks it.
 *
 *   HOST/NAME                      that host
 *   NAME, on this host             this host: nothing changes for a client that means one of these
 *   NAME, in the state's record    the node that has the data of this volume of a service, if it is one
 *
 * Every other name is unknown, and the error says which hosts have one. Compose and Ansible create what they do
 * not find: they must not take a volume of another host for theirs.
 */
import type { NodeId, VolumeName } from "@gam/core";
import type { Node } from "@gam/state";
import { hostnameOf } from "../answers/node-answer.ts";
import type { ClusterDoor } from "../door/door.ts";
import type { SmallAnswer } from "../engine/call-target.ts";
import { type Engine, messageIn } from "../engine/engine.ts";
import { isWorker } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import type { Fields } from "../request/fields.ts";
import { silentText } from "./candidates.ts";
import { type Containers, unanswered } from "./containers.ts";
import { RemoteHost } from "./remote-host.ts";
import type { VolumeReference } from "./volume-call.ts";

/** As for containers: a host that answers takes some milliseconds. */
const askMsMax = 2_000;

export interface VolumePlace {
  readonly node: NodeId;
  /** Undefined: this host. */
  readonly host: RemoteHost | undefined;
}

export interface VolumeOrder {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly body?: Fields | undefined;
}

export class Volumes {
  readonly #door: ClusterDoor;
  readonly #engine: Engine;
  readonly #containers: Containers;

  constructor(parts: {
    readonly door: ClusterDoor;
    readonly engine: Engine;
    readonly containers: Containers;
  }) {
    this.#door = parts.door;
    this.#engine = parts.engine;
    this.#containers = parts.containers;
  }

  /** A worker's socket, as in Swarm, reaches only the host's own volumes. */
  get reachesOthers(): boolean {
    return this.#door.state() === "active" && !isWorker(this.#door);
  }

  /** Returns: the place on the node. */
  on(node: Node): VolumePlace {
    const host = node.ID === this.#door.self ? undefined : new RemoteHost(this.#door, node);
    return { node: node.ID, host };
  }

  /** Errors: GamError UNREACHABLE, ENGINE_MISSING. */
  async order({ host }: VolumePlace, { method, url, body }: VolumeOrder): Promise<SmallAnswer> {
    if (host !== undefined) return await host.order(method, url, body);
    const path = await this.#engine.pathOf(url);
    return method === "GET"
      ? await this.#engine.ask(method, path)
      : await this.#engine.order(method, path, body);
  }

  /**
   * Resolves to the place of the volume. `recorded`: whether the state's record may decide for a bare name.
   *
   * Errors: ApiError 404 for an unknown volume or host; 400 for a name that several hosts have, or several nodes.
   */
  async find({ host, name }: VolumeReference, recorded: boolean): Promise<VolumePlace> {
    if (host !== undefined) return this.on(this.nodeCalled(host, name));
    const own = await this.#engine.ask("GET", `/volumes/${name}`);
    if (own.status === 200) return { node: this.#door.self, host: undefined };
    if (own.status !== 404) throw new ApiError(own.status, messageIn(own));
    const homes = this.#homes(name);
    const [home] = homes;
    if (home?.ID === this.#door.self) return this.on(home);
    if (recorded && home !== undefined && homes.length === 1) return this.on(home);
    throw await this.#unknown(name, homes);
  }

  /** Errors: ApiError 404 for an unknown host, 400 when several have the name. */
  nodeCalled(host: string, name: string): Node {
    const named = this.#door
      .view()
      .nodes()
      .filter((node) => node.ID === host || hostnameOf(node) === host);
    const [node] = named;
    if (node === undefined) {
      throw new ApiError(404, `get ${host}/${name}: no such volume (no node is called ${host})`);
    }
    if (named.length > 1) {
      throw new ApiError(400, `node ${host} is ambiguous (${named.length} matches found)`);
    }
    return node;
  }

  /** Returns: nodes that have the data of the volume, as the state has it. This one is first. */
  #homes(name: string): readonly Node[] {
    const view = this.#door.view();
    const homes = (view.volume(name as VolumeName)?.Homes ?? []).flatMap(({ node }) => {
      return view.node(node) ?? [];
    });
    return homes.sort(
      (a, b) => Number(b.ID === this.#door.self) - Number(a.ID === this.#door.self),
    );
  }

  async #unknown(name: string, homes: readonly Node[]): Promise<ApiError> {
    const found = new Set(homes.map(hostnameOf));
    const silent: string[] = [];
    if (this.#door.view().nodes().length > 1) {
      await this.#containers.ofEach(this.#containers.others(), async (host) => {
        const answer = await host.ask(`/volumes/${name}`, askMsMax).catch(unanswered);
        if (answer === undefined) silent.push(host.name);
        else if (answer.status === 200) found.add(host.name);
      });
    }
    const hosts = [...found].sort();
    const use = hosts.map((host) => `${host}/${name}`).join(" or ");
    const hint = hosts.length === 0 ? "" : `. Other hosts have one, use ${use}`;
    return new ApiError(404, `get ${name}: no such volume${hint}${silentText(silent)}`);
  }
}
