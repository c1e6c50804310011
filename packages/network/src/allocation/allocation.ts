/**
 * Allocation: one plan of the leader's changes of addresses, while it is being made.
 *
 * Decides which object gets which address, subnet or VXLAN identifier, and which are freed. Does not decide which
 * objects to check (allocator.ts). Each method checks one object and adds the changes that it needs. It returns
 * whether to check the object again: after a change, because a plan may be lost, and when nothing was free.
 *
 * A search begins at a hash of the holder's id, so that a freed address is not reused soon. Otherwise a client
 * that still has the old holder's address would reach the new one.
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

/** Starts like Docker Swarm's. A higher maximum would make device names too long. */
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
  /** The search begins at a hash of this. */
  readonly key: string;
  /** An address to skip. */
  readonly but?: number;
}

export class Allocation {
  readonly changes: PlannedChange[] = [];
  readonly #view: View;
  readonly #book: AddressBook;
  readonly #nowMs: number;
  /** Addresses given in this plan. */
  readonly #given = new Map<NetworkId, Set<number>>();
  /** Searches that found no free address. */
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

  /** Gives a new network a VXLAN identifier, and a subnet unless its creator chose one. */
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

  /** Not the lowest free one: containers of a network that was just removed may still use its identifier. */
  #vni({ Id }: Network): number | undefined {
    this.#vnis ??= new Set(this.#view.networks().map(({ Gam }) => Gam.vni));
    const held = this.#vnis;
    return freeAddress({ first: vniMin, last: vniMax }, Id, (vni) => held.has(vni));
  }

  /** Gives a node its tunnel address. Only a node that encrypts needs one. */
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

  /** Gives the service a VIP in each of its networks, and removes all others. */
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
    // The change would be refused as a whole while another service has one of its ports, so it waits.
    if (takenPort(this.#view, service.ID, rest.Ports) !== undefined) return true;
    const endpoint = { ...rest, ...(wanted.length > 0 && { VirtualIPs: wanted }) };
    this.changes.push({ kind: "setEndpoint", id: service.ID, endpoint });
    return true;
  }

  /**
   * Gives addresses to plain containers that wait for one. Refuses a container whose requested address was
   * given to another holder meanwhile.
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

  /** Gives a waiting task an address in each of its networks: in all of them or in none. */
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

  /** Frees the addresses of a task that should stop, when its node is down or gone and cannot report the end. */
  release(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.#view.node(task.NodeID);
    const outOfReach = node === undefined || node.Status.State === "down";
    if (!outOfReach || !isForsakable(task)) return false;
    this.changes.push({ kind: "attachTask", id: task.ID, attachments: [] });
    return true;
  }

  /**
   * Gives a bridge to every node that has something of the network on it. `everywhere`: to every node.
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
   * Removes the bridges on all other nodes. Keeps spare bridges while tasks with an address wait for a node and
   * addresses are free: otherwise a task that restarts on its node would need a new bridge.
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

  /** The address of the node's bridge. When it has none, this plan gives it one. */
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

  /** The bridges that bridge() gave, as changes. */
  setBridges(): PlannedChange[] {
    return [...this.#bridged].map(([id, bridges]) => {
      return { kind: "setGateways", id, gateways: Object.fromEntries(bridges) };
    });
  }

  /** Explains why the task cannot be placed: its node can have no bridge in this network. */
  withoutBridge(task: Task, network: Network): void {
    this.#explain(task, exhausted(network));
  }

  /** Gives an address to a task, a service or a plain container. Keeps the last free one for the first bridge. */
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

  /** A requested address may be anywhere in the subnet; the IP range limits only the others. */
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

  /** Reports a reason once, until it changes. */
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

/** Whether the task's addresses may be freed once its node is down or gone. */
export function isForsakable(task: Task): boolean {
  return !isWanted(task) && !isTerminal(task.Status.State) && task.Gam.attachments.length > 0;
}

/** Says that all addresses are in use, also when the last one is kept for a bridge. */
function exhausted(network: Network): string {
  const pool = poolOf(network);
  const size = pool === undefined ? 0 : sizeOf(pool);
  const range = network.IPAM.Config[0]?.IPRange;
  const where = range === undefined ? pool?.subnet : `${range} of ${pool?.subnet}`;
  return `no available IPv4 address in network ${network.Name} (${where}: ${size} of ${size} in use)`;
}
