/**
 * Allocation: one plan of the leader over addresses, while it is being made.
 *
 * Decides who gets which address, subnet or VXLAN identifier, and what is taken away. Does not decide
 * whom to look at (allocator.ts). Each method looks at one object, adds the changes that it needs, and
 * says whether it is worth another look: after a change, because a plan may be lost, and where something
 * could not be had.
 *
 * Search begins at a hash of the holder's id, so an address that has become free rests for a while:
 * whoever still remembers the old holder would talk to the new one.
 */
import type { NetworkId, NodeId } from "@gam/core";
import {
  isTerminal,
  isWaiting,
  isWanted,
  type Network,
  type Node,
  networkNeed,
  type PlannedChange,
  type Service,
  serviceNetworks,
  type Task,
  type TaskAttachment,
  takenPort,
  tunnelRange,
  type View,
} from "@gam/state";
import {
  addressOf,
  freeAddress,
  freeSubnet,
  isIn,
  numberOf,
  type Pool,
  poolOf,
  prefixFor,
  type Span,
  sizeOf,
  spanOf,
  takenSpans,
} from "../plan/subnet.ts";
import type { AddressBook } from "./address-book.ts";

/** As Docker Swarm's. Higher ones would be long in the names of devices. */
const vniMin = 4097;
const vniMax = 2 ** 16 - 1;
const tunnels = spanOf(tunnelRange) as Span;

export interface AllocationParts {
  readonly view: View;
  readonly book: AddressBook;
  readonly nowMs: number;
}

/** A search for a free address of a network. */
interface Search {
  readonly within: "span" | "gateways";
  /** What the search begins at is a hash of this. */
  readonly key: string;
  /** Not this one. */
  readonly but?: number;
}

export class Allocation {
  readonly changes: PlannedChange[] = [];
  readonly #view: View;
  readonly #book: AddressBook;
  readonly #nowMs: number;
  /** Given in this plan. */
  readonly #given = new Map<NetworkId, Set<number>>();
  /** Searches that have found nothing. */
  readonly #futile = new Set<string>();
  /** Nodes that were given a bridge in this plan. */
  readonly #bridged = new Map<NetworkId, Map<NodeId, string>>();
  /** Networks of tasks that got their addresses in this plan. */
  readonly #awaited = new Set<NetworkId>();
  /** Why networks have no subnet. */
  readonly #problems = new Map<NetworkId, string>();
  #spans: Span[] | undefined;
  #vnis: Set<number> | undefined;
  #tunnels: Set<number> | undefined;

  constructor({ view, book, nowMs }: AllocationParts) {
    this.#view = view;
    this.#book = book;
    this.#nowMs = nowMs;
  }

  /** A VXLAN identifier, and a subnet where nobody asked for one. */
  network(network: Network): boolean {
    if (network.Gam.vni !== 0) return false;
    const [asked] = network.IPAM.Config;
    const subnet = asked?.Subnet ?? this.#subnet(network);
    const vni = this.#vni(network);
    if (subnet === undefined || vni === undefined) return true;
    const config = { ...asked, Subnet: subnet };
    const pool = poolOf({ IPAM: { ...network.IPAM, Config: [config] } });
    if (pool === undefined) {
      this.#problems.set(network.Id, `network ${network.Name} has no addresses (${subnet})`);
      return true;
    }
    const Gateway = asked?.Gateway ?? addressOf(pool.reserved);
    this.#vnis?.add(vni);
    this.changes.push({
      kind: "allocateNetwork",
      id: network.Id,
      vni,
      config: [{ ...config, Gateway }],
    });
    return true;
  }

  #subnet(network: Network): string | undefined {
    const { cluster } = this.#view;
    if (cluster === undefined) return undefined;
    this.#spans ??= takenSpans(this.#view);
    const { Ingress: ingress } = network;
    const subnet = freeSubnet(cluster, { ingress, taken: this.#spans });
    if (subnet === undefined) {
      const pools = `${cluster.DefaultAddrPool.join(", ")} in subnets of /${prefixFor(cluster, ingress)}`;
      this.#problems.set(
        network.Id,
        `could not find an available, non-overlapping IPv4 address pool for network ${network.Name} (${pools})`,
      );
      return undefined;
    }
    this.#spans.push(spanOf(subnet) as Span);
    this.#spans.sort((a, b) => a.first - b.first);
    return subnet;
  }

  /** Not the one of the network that was removed last: containers of that one may still be there. */
  #vni({ Id }: Network): number | undefined {
    this.#vnis ??= new Set(this.#view.networks().map(({ Gam }) => Gam.vni));
    const held = this.#vnis;
    return freeAddress({ first: vniMin, last: vniMax }, Id, (vni) => held.has(vni));
  }

  /** Only who encrypts needs an address inside of tunnels. */
  tunnel(node: Node): boolean {
    const { tunnel, network } = node.Gam;
    if (tunnel !== undefined || (network?.encryption ?? "none") === "none") return false;
    this.#tunnels ??= new Set(
      this.#view.nodes().flatMap(({ Gam }) => numberOf(Gam.tunnel ?? "") ?? []),
    );
    const held = this.#tunnels;
    const inner = { first: tunnels.first + 1, last: tunnels.last - 1 };
    const number = freeAddress(inner, node.ID, (one) => held.has(one));
    if (number === undefined) return true;
    held.add(number);
    this.changes.push({ kind: "setTunnel", id: node.ID, address: addressOf(number) });
    return true;
  }

  /** A VIP in each network of the service, and none elsewhere. */
  service(service: Service): boolean {
    const { VirtualIPs: before = [], ...rest } = service.Endpoint;
    let lacking = false;
    const wanted = serviceNetworks(service, this.#view).flatMap((network) => {
      const held = before.find(({ NetworkID, Addr }) => NetworkID === network.Id && Addr);
      if (held !== undefined) return [held];
      const pool = poolOf(network);
      const number = network.Gam.vni === 0 || !pool ? undefined : this.#give(network, service.ID);
      if (pool === undefined || number === undefined) {
        lacking = true;
        return [];
      }
      return [{ NetworkID: network.Id, Addr: `${addressOf(number)}/${pool.prefix}` }];
    });
    const same =
      wanted.length === before.length && wanted.every((one, index) => one === before[index]);
    if (same) return lacking;
    // Void as a whole while another service has one of its ports: nothing to propose until then.
    if (takenPort(this.#view, service.ID, rest.Ports) !== undefined) return true;
    const endpoint = { ...rest, ...(wanted.length > 0 && { VirtualIPs: wanted }) };
    this.changes.push({ kind: "setEndpoint", id: service.ID, endpoint });
    return true;
  }

  /**
   * Plain containers that wait for an address. One whose node is gone goes with the node, and so does one
   * whose wish came when the address was being given to another.
   */
  attachments(network: Network, isFull: () => boolean): boolean {
    let lacking = false;
    for (const key of Object.keys(network.Gam.attachments).sort()) {
      const attachment = network.Gam.attachments[key];
      if (attachment?.address !== "" || network.Gam.vni === 0) continue;
      lacking = true;
      if (isFull()) break;
      const { wish } = attachment;
      const wished = wish === undefined ? undefined : this.#wished(network, wish);
      if (wish !== undefined && wished === undefined) {
        this.changes.push({ kind: "refuseAttachment", id: network.Id, key });
        continue;
      }
      const number = this.#give(network, key, wished);
      if (number === undefined) continue;
      const address = addressOf(number);
      this.changes.push({ kind: "setAttachment", id: network.Id, key, address });
    }
    return lacking;
  }

  /** An address in every network of a task that waits for a node, in all or in none. */
  task(task: Task): boolean {
    if (!isWaiting(task)) return false;
    const { networks, problem } = networkNeed(task, this.#view);
    if (problem !== "") return this.#explain(task, problem);
    const known = new Map(task.Gam.attachments.map((one) => [one.network, one]));
    if (networks.length === known.size && networks.every((id) => known.has(id))) return false;
    const attachments: TaskAttachment[] = [];
    for (const id of networks) {
      const network = this.#view.network(id);
      const held = known.get(id);
      if (held !== undefined) attachments.push(held);
      if (held !== undefined || network === undefined) continue;
      if (network.Gam.vni === 0) {
        this.#takeBack(attachments, known);
        const why = this.#problems.get(id);
        return why === undefined || this.#explain(task, why);
      }
      const number = this.#give(network, task.ID);
      if (number === undefined) {
        this.#takeBack(attachments, known);
        return this.#explain(task, exhausted(network));
      }
      attachments.push({ network: id, address: addressOf(number) });
    }
    this.changes.push({ kind: "attachTask", id: task.ID, attachments });
    for (const id of networks) this.#awaited.add(id);
    return true;
  }

  /** Nobody wants it to run, and nobody is there to say when it has ended. */
  release(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.#view.node(task.NodeID);
    const outOfReach = node === undefined || node.Status.State === "down";
    if (!outOfReach || !isForsakable(task)) return false;
    this.changes.push({ kind: "attachTask", id: task.ID, attachments: [] });
    return true;
  }

  /**
   * A bridge on every node that something of the network is on. `everywhere` for a network that all nodes
   * have a part in.
   */
  bridges(network: Network, everywhere: boolean): boolean {
    if (network.Gam.vni === 0) return false;
    const here = this.#book.nodesOf(network.Id);
    const moved: Record<string, string> = {};
    let lacking = false;
    for (const { ID } of this.#view.nodes()) {
      if (network.Gam.gateways[ID] !== undefined || !(everywhere || here.has(ID))) continue;
      lacking = true;
      const address = this.bridge(network, ID);
      if (address !== undefined) moved[ID] = address;
    }
    this.#setGateways(network, moved);
    return lacking;
  }

  /**
   * And on no other node. Spare ones are kept while tasks with an address wait for a node, as long as there
   * are addresses: one that starts again would find its bridge made anew.
   */
  spareBridges(network: Network, everywhere: boolean): boolean {
    const here = this.#book.nodesOf(network.Id);
    const spare = Object.keys(network.Gam.gateways).filter(
      (id) => !everywhere && !here.has(id as NodeId),
    );
    if (spare.length === 0) return false;
    const awaited = this.#awaited.has(network.Id) || this.#book.isAwaited(network.Id);
    if (awaited && this.#hasRoom(network)) return true;
    this.#setGateways(network, Object.fromEntries(spare.map((id) => [id, ""])));
    return true;
  }

  #setGateways({ Id: id }: Network, gateways: Readonly<Record<string, string>>): void {
    if (Object.keys(gateways).length > 0) this.changes.push({ kind: "setGateways", id, gateways });
  }

  /** The address of the node's bridge, which is given in this plan if it was not before. */
  bridge(network: Network, node: NodeId): string | undefined {
    const known = network.Gam.gateways[node] ?? this.#bridged.get(network.Id)?.get(node);
    if (known !== undefined) return known;
    const number = this.#free(network, { within: "gateways", key: `${network.Id} ${node}` });
    if (number === undefined) return undefined;
    this.#keep(network.Id, number);
    const bridges = this.#bridged.get(network.Id) ?? new Map<NodeId, string>();
    this.#bridged.set(network.Id, bridges.set(node, addressOf(number)));
    return addressOf(number);
  }

  /** Bridges that bridge() gave, as changes. */
  setBridges(): PlannedChange[] {
    return [...this.#bridged].map(([id, bridges]) => {
      return { kind: "setGateways", id, gateways: Object.fromEntries(bridges) };
    });
  }

  /** The task cannot be where it was to be: in that network there is no bridge for its node. */
  withoutBridge(task: Task, network: Network): void {
    this.#explain(task, exhausted(network));
  }

  /** An address for a task, a service or a plain container. The last one is for the first bridge. */
  #give(
    network: Network,
    key: string,
    number = this.#free(network, { within: "span", key }),
  ): number | undefined {
    if (number === undefined) return undefined;
    const bridged = this.#bridged.has(network.Id) || Object.keys(network.Gam.gateways).length > 0;
    if (!bridged && this.#free(network, { within: "gateways", key, but: number }) === undefined) {
      return undefined;
    }
    this.#keep(network.Id, number);
    return number;
  }

  #free(network: Network, { within, key, but }: Search): number | undefined {
    const pool = poolOf(network);
    if (pool === undefined) return undefined;
    const { first, last } = pool[within];
    const search = `${network.Id} ${first} ${last} ${but === undefined}`;
    if (this.#futile.has(search)) return undefined;
    const isHeld = (one: number): boolean => one === but || this.#isHeld(network, pool, one);
    const number = freeAddress({ first, last }, key, isHeld);
    if (number === undefined) this.#futile.add(search);
    return number;
  }

  /** Of the whole subnet: a range is for those who have no wish. */
  #wished(network: Network, wish: string): number | undefined {
    const pool = poolOf(network);
    const number = numberOf(wish);
    if (pool === undefined || number === undefined || !isIn(number, pool.gateways))
      return undefined;
    return this.#isHeld(network, pool, number) ? undefined : number;
  }

  #isHeld({ Id }: Network, { reserved }: Pool, number: number): boolean {
    if (number === reserved || this.#given.get(Id)?.has(number) === true) return true;
    return this.#book.isHeld(Id, number);
  }

  #hasRoom(network: Network): boolean {
    return this.#free(network, { within: "span", key: network.Id }) !== undefined;
  }

  #keep(network: NetworkId, number: number): void {
    const given = this.#given.get(network) ?? new Set();
    this.#given.set(network, given.add(number));
  }

  #takeBack(
    attachments: readonly TaskAttachment[],
    known: ReadonlyMap<NetworkId, TaskAttachment>,
  ): void {
    for (const { network, address } of attachments) {
      if (known.has(network)) continue;
      const number = numberOf(address);
      if (number !== undefined) this.#given.get(network)?.delete(number);
    }
  }

  /** Said once: a reason that has not changed is no news. */
  #explain(task: Task, why: string): true {
    const { State, Err } = task.Status;
    if (State === "pending" && Err === why) return true;
    this.changes.push({ kind: "explainTask", id: task.ID, status: this.#status(why) });
    return true;
  }

  #status(Err: string): Task["Status"] {
    const Timestamp = new Date(this.#nowMs).toISOString();
    return { Timestamp, State: "pending", Message: "pending network allocation", Err };
  }
}

/** What it holds may be taken away once its node is down or gone. */
export function isForsakable(task: Task): boolean {
  return !isWanted(task) && !isTerminal(task.Status.State) && task.Gam.attachments.length > 0;
}

/** Nobody needs to know that the last address may be kept for a bridge. */
function exhausted(network: Network): string {
  const pool = poolOf(network);
  const size = pool === undefined ? 0 : sizeOf(pool);
  const range = network.IPAM.Config[0]?.IPRange;
  const where = range === undefined ? pool?.subnet : `${range} of ${pool?.subnet}`;
  return `no available IPv4 address in network ${network.Name} (${where}: ${size} of ${size} in use)`;
}
