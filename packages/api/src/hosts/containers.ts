/**
 * Containers: finds the host whose engine has the container or exec of a call.
 *
 *   this host's engine -> the state's tasks -> the engines of all other hosts, in parallel
 *
 * Decides where a call goes, and which error names hosts that could not be asked. Containers of this host win, so
 * nothing changes for a client that means one of them. Does not pass calls on: engine-proxy.ts does.
 */
import { GamError } from "@gam/core";
import { compareStates, containerName, type Node, slotName, type Task } from "@gam/state";
import { hostnameOf } from "../answers/node-answer.ts";
import type { ClusterDoor } from "../door/door.ts";
import type { CallTarget, SmallAnswer } from "../engine/call-target.ts";
import { type Engine, missing } from "../engine/engine.ts";
import { isWorker } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { fieldsOf, textOf } from "../request/fields.ts";
import { chooseContainer, type FoundContainer, silentText } from "./candidates.ts";
import { type ContainerCall, containerCall, needsId, urlAbout } from "./container-call.ts";
import { RemoteHost } from "./remote-host.ts";

/** A host that answers takes some milliseconds. The mesh drops a lost one after about 2 s. */
const askMsMax = 2_000;
/** An engine adds up the files of each container. */
const sizeMsMax = 120_000;
/** Hosts that are asked at the same time. */
const askedMax = 64;
/** Ids of containers and execs whose hosts are known. A forgotten one costs a search. */
const rememberedMax = 8192;

const fullId = /^[0-9a-f]{64}$/;
const createdExec = /"Id"\s*:\s*"([0-9a-f]{64})"/;
/** More than the answer to the creation of an exec has. */
const createdBytesMax = 1024;

export interface Route {
  readonly target: CallTarget;
  /** The path and query there. */
  readonly url: string;
  /** As PassOptions.onAnswer. */
  readonly onAnswer?: ((piece: Buffer) => void) | undefined;
}

/** Undefined: this host. */
type Host = RemoteHost | undefined;

interface Place {
  readonly host: Host;
  /** An id, or what the host's engine resolves itself. */
  readonly ref: string;
}

interface Search {
  readonly found: readonly FoundContainer<Host>[];
  /** The names of hosts that could not be asked. */
  readonly silent: readonly string[];
  /** An engine's refusal of a reference that it finds several times. */
  readonly refusal: string | undefined;
}

export class Containers {
  readonly #door: ClusterDoor;
  readonly #engine: Engine;
  /** By id of a container or exec. */
  readonly #hosts = new Map<string, Node["ID"]>();

  constructor(door: ClusterDoor, engine: Engine) {
    this.#door = door;
    this.#engine = engine;
  }

  /**
   * Resolves to where the call goes.
   *
   * Errors: ApiError 404 when no host that answers has it and some did not answer; 400 when several hosts have
   *         one. Without a match on any host this host's engine gets the call, for its own words.
   */
  async route(method: string | undefined, url: string): Promise<Route> {
    const call = containerCall(method, url);
    if (call === undefined || !this.#isOneOfMany()) return { target: this.#engine, url };
    const { host, ref } =
      call.kind === "exec" ? await this.#findExec(call) : await this.#findContainer(call);
    const node = host?.id ?? this.#door.self;
    if (fullId.test(ref)) this.#remember(ref, node);
    const isCreation = call.operation === "exec";
    return {
      target: host ?? this.#engine,
      url: urlAbout(call, ref),
      ...(isCreation && { onAnswer: this.#learnExec(node) }),
    };
  }

  /**
   * Sends a small read request about a container to the host that has it. Resolves to the answer and that host.
   *
   * Errors: those of route(); GamError UNREACHABLE, ENGINE_MISSING.
   */
  async ask(url: string): Promise<SmallAnswer & { readonly node: Node["ID"] }> {
    const { target, url: there } = await this.route("GET", url);
    if (target instanceof RemoteHost) {
      return { ...(await target.ask(there, limitMsOf(there))), node: target.id };
    }
    return { ...(await this.askHere(there)), node: this.#door.self };
  }

  /** Asks this host's engine. Errors: GamError ENGINE_MISSING. */
  async askHere(url: string): Promise<SmallAnswer> {
    return await this.#engine.ask("GET", await this.#engine.pathOf(url), limitMsOf(url));
  }

  /** Returns: where this node's containers are; `undefined` for a node that has left. */
  host(id: Node["ID"]): CallTarget | undefined {
    if (id === this.#door.self) return this.#engine;
    const node = this.#door.view().node(id);
    return node && new RemoteHost(this.#door, node);
  }

  /** Returns: all other hosts. */
  others(): readonly RemoteHost[] {
    return this.#nodes()
      .filter(({ ID }) => ID !== this.#door.self)
      .map((node) => new RemoteHost(this.#door, node));
  }

  /** Calls `ask` for each of the hosts, for as many at once as the mesh takes well. Resolves after the last answer. */
  async ofEach(
    hosts: readonly RemoteHost[],
    ask: (host: RemoteHost) => Promise<void>,
  ): Promise<void> {
    const waiting = [...hosts];
    const asker = async (): Promise<void> => {
      for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) await ask(host);
    };
    await Promise.all(Array.from({ length: Math.min(askedMax, hosts.length) }, asker));
  }

  #nodes(): readonly Node[] {
    return this.#door.view().nodes();
  }

  /** A worker's socket, as in Swarm, reaches only the host's own containers. */
  #isOneOfMany(): boolean {
    return this.#door.state() === "active" && this.#nodes().length > 1 && !isWorker(this.#door);
  }

  async #findContainer(call: ContainerCall): Promise<Place> {
    const { ref } = call;
    if (call.host !== undefined) return { host: this.#hostCalled(call.host, ref), ref };
    const known = this.#known(ref);
    if (known !== undefined) return known;
    const own = await this.#engine.ask("GET", `/containers/${ref}/json`).catch(missing);
    if (own !== undefined && own.status !== 404) return { host: undefined, ref };
    const task = this.#taskWithName(ref);
    if (task !== undefined) return task;
    const { found, silent, refusal } = await this.#searchContainers(ref);
    if (refusal !== undefined) throw new ApiError(400, refusal);
    const choice = chooseContainer(ref, found);
    if (choice.kind === "several") throw new ApiError(400, choice.message);
    if (choice.kind === "none") {
      if (silent.length === 0) return { host: undefined, ref };
      throw new ApiError(404, `No such container: ${ref}${silentText(silent)}`);
    }
    const { host, hostname, id, name } = choice.candidate;
    if (choice.byName && needsId(call)) {
      const use = `${hostname}/${name} or its id ${id.slice(0, 12)}`;
      throw new ApiError(404, `No such container: ${ref}. ${hostname} has one, use ${use}`);
    }
    return { host, ref: id };
  }

  async #findExec({ ref }: ContainerCall): Promise<Place> {
    const known = this.#known(ref);
    if (known !== undefined) return known;
    const path = `/exec/${ref}/json`;
    const own = await this.#engine.ask("GET", path).catch(missing);
    if (own !== undefined && own.status !== 404) return { host: undefined, ref };
    const silent: string[] = [];
    const found: RemoteHost[] = [];
    await this.ofEach(this.others(), async (host) => {
      const status = (await host.ask(path, askMsMax).catch(unanswered))?.status;
      if (status === 200) found.push(host);
      else if (status !== 404) silent.push(host.name);
    });
    const [host] = found;
    if (host === undefined && silent.length > 0) {
      throw new ApiError(404, `No such exec instance: ${ref}${silentText(silent)}`);
    }
    return { host, ref };
  }

  /** Returns: the place of a known id; `undefined` for all others, and after its host has left the cluster. */
  #known(id: string): Place | undefined {
    const node = this.#hosts.get(id);
    if (node === undefined) return undefined;
    if (node === this.#door.self) return { host: undefined, ref: id };
    const found = this.#door.view().node(node);
    return found && { host: new RemoteHost(this.#door, found), ref: id };
  }

  #remember(id: string, node: Node["ID"]): void {
    // The last use decides which one is forgotten first.
    this.#hosts.delete(id);
    this.#hosts.set(id, node);
    if (this.#hosts.size <= rememberedMax) return;
    const [oldest = ""] = this.#hosts.keys();
    this.#hosts.delete(oldest);
  }

  /** Remembers the exec that an answer names before the client can ask for it. */
  #learnExec(node: Node["ID"]): (piece: Buffer) => void {
    let text = "";
    return (piece) => {
      if (text.length > createdBytesMax) return;
      text += piece.toString("latin1");
      const id = createdExec.exec(text)?.[1];
      if (id !== undefined) this.#remember(id, node);
    };
  }

  /** Errors: ApiError 404 for an unknown host, 400 when several have the name. */
  #hostCalled(name: string, ref: string): Host {
    const nodes = this.#nodes();
    const named = nodes.filter((node) => node.ID === name || hostnameOf(node) === name);
    const [node] = named;
    if (node === undefined) {
      throw new ApiError(404, `No such container: ${name}/${ref} (no node is called ${name})`);
    }
    if (named.length > 1) {
      throw new ApiError(400, `node ${name} is ambiguous (${named.length} matches found)`);
    }
    return node.ID === this.#door.self ? undefined : new RemoteHost(this.#door, node);
  }

  /**
   * Returns: the place of the task with this container id or name, like "shop_web.1.ID"; else of the running task
   * with this name, like "shop_web.1". The state knows it even while the task's host does not answer.
   */
  #taskWithName(ref: string): Place | undefined {
    const whole = this.#door
      .view()
      .tasks()
      .find((task) => containerIdOf(task) === ref || containerName(task) === ref);
    const task =
      whole ??
      this.#door
        .view()
        .tasks()
        .findLast((one) => isRunning(one) && `${one.Gam.serviceName}.${slotName(one)}` === ref);
    return task && this.#placeOf(task);
  }

  #placeOf(task: Task): Place | undefined {
    const [id, node] = [containerIdOf(task), task.NodeID];
    if (id === undefined || node === undefined) return undefined;
    if (node === this.#door.self) return { host: undefined, ref: id };
    const found = this.#door.view().node(node);
    return found && { host: new RemoteHost(this.#door, found), ref: id };
  }

  /** Asks all hosts, and the state for the tasks of hosts that do not answer. */
  async #searchContainers(ref: string): Promise<Search> {
    const silent: RemoteHost[] = [];
    const found: FoundContainer<Host>[] = [];
    let refusal: string | undefined;
    await this.ofEach(this.others(), async (host) => {
      const answer = await host.ask(`/containers/${ref}/json`, askMsMax).catch(unanswered);
      const { Id, Name, message } = fieldsOf(answer?.body);
      const text = textOf(message);
      if (answer?.status === 200) {
        const name = textOf(Name).replace(/^\//, "");
        found.push({ host, hostname: host.name, id: textOf(Id), name });
      } else if (/multiple IDs found/i.test(text)) refusal = text;
      else if (answer?.status !== 404) silent.push(host);
    });
    for (const host of silent) found.push(...this.#tasksWithId(ref, host));
    return { found, silent: silent.map(({ name }) => name), refusal };
  }

  #tasksWithId(ref: string, host: RemoteHost): FoundContainer<Host>[] {
    return this.#door
      .view()
      .tasksOn(host.id)
      .flatMap((task) => {
        const id = containerIdOf(task);
        if (id === undefined || !id.startsWith(ref)) return [];
        return [{ host, hostname: host.name, id, name: containerName(task) }];
      });
  }
}

/** For catch(): a host that does not answer has no answer. Throws any other error again. */
export function unanswered(thrown: unknown): undefined {
  if (thrown instanceof GamError && thrown.code === "UNREACHABLE") return undefined;
  throw thrown;
}

/** Returns: how long a read request may take; undefined for the usual time. */
function limitMsOf(url: string): number | undefined {
  return /[?&]size=/.test(url) ? sizeMsMax : undefined;
}

function containerIdOf({ Status }: Task): string | undefined {
  return Status.ContainerStatus?.ContainerID || undefined;
}

function isRunning({ DesiredState, Status }: Task): boolean {
  return DesiredState === "running" && compareStates(Status.State, "running") <= 0;
}
