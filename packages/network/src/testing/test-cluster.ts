/**
 * Test cluster: makes states in which everything has its addresses already, for tests of plans.
 *
 * Nodes have 192.0.2.1, .2 …; the n-th network has 10.n.0.0/16, VNI 4096 + n, and a bridge on every
 * node at 10.n.0.1 …; service addresses are 10.n.1.x, tasks and plain containers 10.n.2.x and on.
 */
import type { NetworkId, NodeId, ServiceId } from "@gam/core";
import type {
  Change,
  ContainerStatus,
  EndpointSpec,
  Network,
  NetworkTarget,
  NodeNetwork,
  NodeState,
  PortConfig,
  Rollout,
  Service,
  TaskState,
  View,
} from "@gam/state";
import { httpPort, needsIngress } from "@gam/state";
import {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aService,
  aTask,
  type TaskWish,
  TestLog,
} from "@gam/state/testing";

interface ServiceWish {
  readonly networks?: readonly (string | NetworkTarget)[];
  readonly ports?: readonly PortConfig[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly mode?: EndpointSpec["Mode"];
}

const keyBytes = 32;

/** A node's WireGuard key. */
export function keyOf(name: string): string {
  return btoa(name.padEnd(keyBytes, "."));
}

export class TestCluster {
  readonly #log = new TestLog();
  readonly #networks: string[] = [];
  readonly #nodes: string[] = [];
  readonly #held = new Map<string, number>();

  constructor() {
    this.#log.write({ kind: "createCluster", cluster: aCluster() });
  }

  get view(): View {
    return this.#log.store;
  }

  /** Adds a node. It encrypts when `network` says how. Add nodes before networks. */
  node(
    name: string,
    wish: { readonly network?: Partial<NodeNetwork>; readonly state?: NodeState } = {},
  ): void {
    this.#nodes.push(name);
    const number = this.#nodes.length;
    const node = aNode(name, { address: `192.0.2.${number}`, ...wish });
    const encrypts = (wish.network?.encryption ?? "none") !== "none";
    const network = aNodeNetwork({
      ...(encrypts && { publicKey: keyOf(name) }),
      ...wish.network,
    });
    const Gam = { ...node.Gam, network, ...(encrypts && { tunnel: `198.18.0.${number}` }) };
    this.write({ kind: "joinNode", node: { ...node, Gam } });
  }

  /** Adds a network. `nodes`: those with a bridge; default all. */
  network(
    name: string,
    change: Partial<Network> & { readonly nodes?: readonly string[] } = {},
  ): void {
    const { nodes = this.#nodes, ...rest } = change;
    this.#networks.push(name);
    const number = this.#networks.length;
    const gateways = Object.fromEntries(
      nodes.map((node) => [node, `10.${number}.0.${this.#nodes.indexOf(node) + 1}`]),
    );
    const network = aNetwork(name, {
      Attachable: true,
      IPAM: { Driver: "default", Options: null, Config: [{ Subnet: `10.${number}.0.0/16` }] },
      Gam: { vni: 4096 + number, gateways, attachments: {} },
      ...rest,
    });
    this.write({ kind: "createNetwork", network });
  }

  service(
    name: string,
    { networks = [], ports = [], labels = {}, mode = "vip" }: ServiceWish = {},
  ): void {
    const Networks = networks.map((one) => (typeof one === "string" ? { Target: one } : one));
    const endpoint: EndpointSpec = { Mode: mode, Ports: ports };
    this.write(aService(name, { template: { Networks }, endpoint, spec: { Labels: labels } }));
    const ingress = this.view.networks().find(({ Ingress }) => Ingress);
    // The VIP of published ports in the ingress network is used by nobody.
    const proxied = ingress !== undefined && httpPort(labels) !== undefined ? [ingress.Id] : [];
    const VirtualIPs = [...Networks.map(({ Target }) => Target), ...proxied].map((Target) => ({
      NetworkID: Target,
      Addr: `${this.#address(Target, 1)}/16`,
    }));
    this.write({
      kind: "setEndpoint",
      id: name as ServiceId,
      endpoint: { Spec: endpoint, Ports: ports, ...(mode === "vip" && { VirtualIPs }) },
    });
  }

  /** Adds a task to an existing service, in the service's networks. */
  task(of: string, id: string, wish: TaskWish = {}): void {
    const service = this.view.service(of as ServiceId);
    const targets = service?.Spec.TaskTemplate.Networks ?? [];
    const endpoint = service?.Spec.EndpointSpec ?? {};
    const ingress = this.view.networks().find(({ Ingress }) => Ingress);
    const networks = targets.map(({ Target }) => Target);
    const serviceLabels = wish.extra?.serviceLabels ?? service?.Spec.Labels ?? {};
    if (ingress !== undefined && needsIngress(endpoint, serviceLabels)) networks.push(ingress.Id);
    const attachments = networks.map((network) => ({
      network: network as NetworkId,
      address: this.#address(network, 2),
    }));
    const extra = { attachments, endpoint, serviceLabels, ...wish.extra };
    const template = { Networks: targets, ...wish.template };
    this.write({ kind: "createTask", task: aTask(of, id, { slot: 1, ...wish, extra, template }) });
  }

  container(network: string, node: string, name: string, aliases: readonly string[] = []): void {
    const id = network as NetworkId;
    const key = `${node}/${name}`;
    this.write(
      { kind: "attachContainer", network: id, key, node: node as NodeId, name, aliases },
      { kind: "setAttachment", id, key, address: this.#address(network, 2) },
    );
  }

  report(id: string, State: TaskState, container?: ContainerStatus): void {
    const task = this.view.tasks().find(({ ID }) => ID === id);
    if (task === undefined) throw new Error(`no task ${id}`);
    const status = { ...task.Status, State, ...(container && { ContainerStatus: container }) };
    this.write({ kind: "reportTask", id: task.ID, status });
  }

  #address(network: string, from: number): string {
    const number = this.#networks.indexOf(network) + 1;
    if (number === 0) throw new Error(`no network ${network}`);
    const key = `${network} ${from}`;
    const held = this.#held.get(key) ?? 0;
    this.#held.set(key, held + 1);
    return `10.${number}.${from + Math.floor(held / 250)}.${(held % 250) + 1}`;
  }

  /** Errors: plain ones, where the state refuses the changes. */
  write(...changes: readonly Change[]): void {
    const { outcome } = this.#log.write(...changes);
    if (outcome.kind === "refused") throw new Error(outcome.message);
  }
}

/** The service while a canary with tasks of that template version gets that percentage of its connections. */
export function withRollout(
  service: Service,
  { version, weight }: Pick<Rollout, "version" | "weight">,
): Service {
  const rollout: Rollout = {
    ...{ serial: 1, strategy: "canary", version, base: version - 1, weight },
    ...{ step: 0, phase: "watching", sinceMs: 0, failed: [] },
  };
  return { ...service, Gam: { ...service.Gam, rollout } };
}
