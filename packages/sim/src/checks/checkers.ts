/**
 * Checkers: rules that always hold, checked at every effect of every peer. They throw a breach at
 * once. What must hold only in the end is in unsettled.ts.
 */
import type { NodeId, ServiceId } from "@gam/core";
import { backendsIn } from "@gam/network";
import type { Effect } from "@gam/peer";
import { compareStates, type Event, isLeaving, type Task, type View } from "@gam/state";
import type { EngineAction } from "@gam/worker";
import type { SimHost } from "../hosts/host.ts";
import { Breach } from "./breach.ts";
import { hasContentsOfTasks } from "./contents.ts";
import { Drains } from "./drains.ts";
import { Ledger } from "./ledger.ts";
import { Schedule } from "./schedule.ts";
import { Succession } from "./succession.ts";
import { VolumeHistory } from "./volumes.ts";

export { Breach } from "./breach.ts";

/** A write that was acknowledged to a client. */
export interface Acknowledged {
  readonly kind: "create" | "update" | "remove";
  readonly service: ServiceId;
  readonly index: number;
}

export class Checkers {
  /** Leaders, by life and term. */
  readonly #leaders = new Map<string, NodeId>();
  /** Entries, by life and index. */
  readonly #entries = new Map<string, { readonly digest: string; readonly by: NodeId }>();
  readonly #ledger = new Ledger();
  readonly #volumes = new VolumeHistory();
  readonly #succession = new Succession();
  readonly #schedule = new Schedule();
  readonly #drains = new Drains();
  readonly #acknowledged: Acknowledged[] = [];
  #acknowledgedIndex = 0;
  readonly #connected = new Map<NodeId, readonly NodeId[]>();
  /** Services that a client asked to remove, done or not. */
  readonly #doomed = new Set<ServiceId>();
  #downs = 0;
  /** Set while nothing happens that could justify a node marked down. */
  evictionForbidden = false;
  /** Set while, besides, all hosts hear each other. */
  refusalForbidden = false;
  /** Somebody has tampered with its disk: it may be warned of what comes of that. */
  tampered: NodeId | undefined;

  get downs(): number {
    return this.#downs;
  }

  /** Checks that a term of a life has one leader. */
  leads(life: string, term: number, host: NodeId): void {
    const place = `${life} ${term}`;
    const known = this.#leaders.get(place);
    if (known !== undefined && known !== host) {
      throw new Breach(`term ${term} of life ${life} has two leaders, ${known} and ${host}`);
    }
    this.#leaders.set(place, host);
  }

  /** Checks that an entry means the same to every peer, also after a restart. */
  happened(
    host: SimHost,
    index: number,
    events: readonly Event[],
    hosts: readonly SimHost[],
  ): void {
    const digest = events.map(digestOf).join(" ");
    const place = `${host.peer?.lives.id} ${index}`;
    const known = this.#entries.get(place);
    if (known !== undefined) {
      if (known.digest === digest) return;
      throw new Breach(
        `entry ${index} is "${known.digest}" to ${known.by} and "${digest}" to ${host.id}`,
      );
    }
    this.#entries.set(place, { digest, by: host.id });
    if (host.peer !== undefined) hasContentsOfTasks(host.peer.view);
    for (const event of events) {
      this.#look(event, index);
      this.#ledger.take(event);
      this.#volumes.take(event);
      if (event.table === "service") this.#succession.take(event);
      if (event.table === "service") this.#schedule.take(event);
      if (event.table === "task") this.#drains.take(event, host.trueMs);
      if (event.table === "task" && event.after !== undefined) ranWhenItSaidSo(event.after, hosts);
      if (event.table === "node") wasThereWhenItCameBack(event, hosts);
      if (event.table === "cluster") hadItsRoot(event, index, host.id, hosts);
    }
  }

  asked(kind: Acknowledged["kind"], service: ServiceId): void {
    if (kind === "remove") this.#doomed.add(service);
  }

  /** Records a write that was acknowledged to a client. */
  applied(index: number, write: Omit<Acknowledged, "index"> | undefined): void {
    this.#acknowledgedIndex = Math.max(this.#acknowledgedIndex, index);
    if (write !== undefined) this.#acknowledged.push({ ...write, index });
  }

  /** Checks that an acknowledged entry is on the disks of two managers, while two managers answer. */
  secondDisk(
    index: number,
    managersAnswering: number,
    hosts: readonly Pick<SimHost, "termOnDisk">[],
  ): void {
    if (managersAnswering < 2) return;
    // An entry in a snapshot was committed, so it counts for any term.
    let snapshots = 0;
    const withTerm = new Map<number, number>();
    for (const host of hosts) {
      const term = host.termOnDisk(index);
      if (term === "snapshot") snapshots += 1;
      else if (term !== undefined) withTerm.set(term, (withTerm.get(term) ?? 0) + 1);
    }
    if (snapshots + Math.max(0, ...withTerm.values()) >= 2) return;
    throw new Breach(
      `entry ${index} was acknowledged from one disk, although ${managersAnswering} managers answer`,
    );
  }

  /** The highest index that was acknowledged to any client. */
  get acknowledgedIndex(): number {
    return this.#acknowledgedIndex;
  }

  /** Checks that a leaving task is not stopped while a node sends it connections, or while it may keep some. */
  acts(host: SimHost, action: EngineAction, hosts: readonly SimHost[]): void {
    if (action.kind === "stop" && host.peer !== undefined) {
      this.#drains.stops(host, host.peer.view, action.task);
    }
    if (!this.refusalForbidden || action.kind !== "stop") return;
    const task = host.peer?.view.task(action.task);
    if (task === undefined || !isLeaving(task)) return;
    const addresses = new Set(task.Gam.attachments.map(({ address }) => address));
    const sender = hosts.find(
      ({ plan }) => plan && backendsIn(plan).some((address) => addresses.has(address)),
    );
    if (sender !== undefined) {
      throw new Breach(
        `${host.id} stops task ${task.ID} while ${sender.id} still sends it connections`,
      );
    }
  }

  /** Checks warnings. Honest peers cause warnings only about lost peers and other lives, none about messages, entries or plans. */
  told(host: NodeId, { level, text, fields }: Extract<Effect, { kind: "note" }>): void {
    if (level !== "warn" || text.startsWith("Peer is ") || text.includes("another life")) return;
    if (host === this.tampered) return;
    throw new Breach(`${host} logged a warning: ${text} ${JSON.stringify(fields)}`);
  }

  connects(host: NodeId, members: readonly { readonly id: NodeId }[]): void {
    this.#connected.set(
      host,
      members.map(({ id }) => id),
    );
  }

  /** The peers to which this host's peer last asked to be connected. */
  connectedTo(host: NodeId): readonly NodeId[] {
    return this.#connected.get(host) ?? [];
  }

  #look(event: Event, index: number): void {
    if (event.table === "task" && event.before !== undefined && event.after !== undefined) {
      const [before, after] = [event.before.Status.State, event.after.Status.State];
      if (compareStates(after, before) < 0) {
        throw new Breach(
          `entry ${index}: task ${event.after.ID} went back from ${before} to ${after}`,
        );
      }
      if (compareStates(event.after.DesiredState, event.before.DesiredState) < 0) {
        throw new Breach(`entry ${index}: desired state of task ${event.after.ID} went back`);
      }
    }
    if (event.table !== "node" || event.after?.Status.State !== "down") return;
    if (event.before?.Status.State === "down") return;
    this.#downs += 1;
    if (this.evictionForbidden) {
      throw new Breach(`entry ${index}: ${event.after.ID} was marked down although it is well`);
    }
  }

  /** Checks that the newest state has every acknowledged write. */
  kept(view: View): void {
    const last = new Map<ServiceId, Acknowledged>();
    for (const write of this.#acknowledged) {
      const known = last.get(write.service);
      if (known === undefined || known.index < write.index) last.set(write.service, write);
    }
    for (const write of last.values()) {
      const service = view.service(write.service);
      if (write.kind === "remove") {
        if (service !== undefined)
          throw new Breach(`service ${write.service} exists although its removal was acknowledged`);
      } else if (service === undefined) {
        if (this.#doomed.has(write.service)) continue;
        throw new Breach(`service ${write.service}, acknowledged at ${write.index}, is lost`);
      } else if (service.Version.Index < write.index) {
        throw new Breach(`write ${write.index} of service ${write.service} is lost`);
      }
    }
  }
}

/**
 * The first slot that runs twice, of services that stop before they start. Call it only when every host
 * has been well and has heard all others for a while.
 */
export function doubled(hosts: readonly SimHost[], view: View): string | undefined {
  const slots = new Map<string, string>();
  for (const host of hosts) {
    for (const { task: id, phase } of host.engine.containers()) {
      const task = phase === "running" ? view.task(id) : undefined;
      const service = task && view.service(task.ServiceID);
      if (task?.Slot === undefined || service === undefined) continue;
      if (service.Spec.UpdateConfig?.Order === "start-first") continue;
      const slot = `${task.ServiceID} ${task.Slot}`;
      const other = slots.get(slot);
      if (other !== undefined) return `slot ${slot} runs twice, as ${other} and ${id}`;
      slots.set(slot, id);
    }
  }
  return undefined;
}

/** Checks that a task reported as running was started by its engine. */
function ranWhenItSaidSo(task: Task, hosts: readonly SimHost[]): void {
  if (task.Status.State !== "running") return;
  const host = hosts.find(({ id }) => id === task.NodeID);
  if (host?.engine.container(task.ID)?.phase !== "created") return;
  throw new Breach(`task ${task.ID} is reported as running on ${host.id} but was not started`);
}

/**
 * A node may be marked ready after its agent stopped only for as long as old news may arrive: settled
 * rumours come every 5 s, a message takes at most 1.5 s, and the reporting host's clock may be 2 s
 * fast.
 */
const staleNewsMs = 10_000;

function wasThereWhenItCameBack(
  { before, after }: Extract<Event, { table: "node" }>,
  hosts: readonly SimHost[],
): void {
  if (before?.Status.State !== "down" || after?.Status.State !== "ready") return;
  const host = hosts.find(({ id }) => id === after.ID);
  // An entry may be committed long after it was planned. The check uses what the leader could know then.
  const offMs = host?.offMsAt(Date.parse(after.UpdatedAt)) ?? 0;
  if (host === undefined || offMs < staleNewsMs) return;
  // A host that was frozen repeats old news when it thaws.
  if (hosts.some(({ thawedAgoMs }) => thawedAgoMs < staleNewsMs)) return;
  throw new Breach(`${host.id} was marked ready although its agent had been off for ${offMs} ms`);
}

function digestOf(event: Event): string {
  const row = event.after ?? event.before;
  if (row === undefined) return event.table;
  const id = "Id" in row ? row.Id : row.ID;
  const what = event.after === undefined ? "gone" : "";
  if (event.table !== "task") return `${event.table}:${id}:${row.Version.Index}${what}`;
  const task = row as Task;
  return `${id}:${task.Status.State}:${task.DesiredState}:${task.NodeID ?? ""}${what}`;
}

/** Checks that no node lacks the new root key when it replaces the old one. */
function hadItsRoot(
  { before, after }: Extract<Event, { table: "cluster" }>,
  index: number,
  seenBy: NodeId,
  hosts: readonly SimHost[],
): void {
  if (before === undefined || after === undefined) return;
  const { RootPublicKey } = after;
  if (before.RootPublicKey === RootPublicKey) return;
  const view = hosts.find(({ id }) => id === seenBy)?.peer?.view;
  const stranger = hosts.find(({ id, root }) => {
    // The view may be newer than the entry: a node that joined after it is not meant.
    const changed = view?.node(id)?.Version.Index ?? Number.POSITIVE_INFINITY;
    return changed <= index && root !== RootPublicKey;
  });
  if (stranger === undefined) return;
  throw new Breach(
    `entry ${index}: root key became ${RootPublicKey} while ${stranger.id} has ${stranger.root}`,
  );
}
