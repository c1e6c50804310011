/**
 * Network inspect: the details that `docker network inspect` adds to a network.
 *
 * Containers are this node's, from its engine. Peers and, with `--verbose`, services come from the state,
 * so every node shows the same.
 */
import {
  containerName,
  ingressPorts,
  isWanted,
  type Network,
  type PortConfig,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import type { NetworkDetails } from "../answers/network-answer.ts";
import { type Engine, missing } from "../engine/engine.ts";
import { engineNetwork } from "../engine/engine-networks.ts";
import { fieldsOf, textOf } from "../request/fields.ts";
import type { RouteContext } from "./route-context.ts";

/** Go's text for a missing address. */
const noAddress = "<nil>";

export async function inspectNetwork(
  { door, engine }: RouteContext,
  network: Network,
  verbose: boolean,
): Promise<NetworkDetails> {
  const view = door.view();
  const isHere = network.Gam.gateways[door.self] !== undefined;
  const Containers = isHere ? await containersOf(engine, network) : null;
  return {
    Containers,
    Peers: peersOf(network, view),
    ...(verbose && { Services: servicesOf(network, view, endpointIdsOf(Containers)) }),
  };
}

/** Returns: the engine's containers; null if the engine has no network for this one. */
async function containersOf(
  engine: Engine,
  network: Network,
): Promise<Readonly<Record<string, unknown>> | null> {
  const here = await engineNetwork(engine, network.Id);
  if (here === undefined) return null;
  const answer = await engine.ask("GET", `/networks/${here.id}`).catch(missing);
  const found = fieldsOf(answer?.body).Containers;
  return typeof found === "object" && found !== null ? { ...found } : null;
}

/** Returns: the nodes with a bridge for the network. Clients of Swarm expect names of twelve characters. */
function peersOf({ Gam }: Network, view: View): readonly object[] {
  return view
    .nodes()
    .filter(({ ID }) => Gam.gateways[ID] !== undefined)
    .map(({ ID, Status }) => ({ Name: ID.slice(0, 12), IP: Status.Addr }));
}

/** Returns: the engine's endpoint id for each address (IPv4 without prefix). */
function endpointIdsOf(
  containers: Readonly<Record<string, unknown>> | null,
): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const container of Object.values(containers ?? {})) {
    const { IPv4Address, EndpointID } = fieldsOf(container);
    ids.set(textOf(IPv4Address).split("/")[0] ?? "", textOf(EndpointID));
  }
  return ids;
}

interface Entry {
  readonly VIP: string;
  readonly Ports: readonly string[];
  readonly LocalLBIndex: number;
  readonly Tasks: readonly object[];
}

/** Returns: entries by service name; plain containers under "", as in Swarm. */
function servicesOf(
  network: Network,
  view: View,
  endpointIds: ReadonlyMap<string, string>,
): Readonly<Record<string, Entry>> {
  const row = (name: string, address: string, node: Task["NodeID"], id: string): object => ({
    Name: name,
    // Only this node's engine knows endpoint ids; for other nodes use the id of the task or attachment.
    EndpointID: endpointIds.get(address) || id,
    EndpointIP: address,
    Info: { "Host IP": (node && view.node(node)?.Status.Addr) ?? "" },
  });
  const entries: Record<string, Entry> = {};
  for (const service of view.services()) {
    const tasks = view
      .tasksOf(service.ID)
      .filter(isShown)
      .flatMap((task) => {
        const place = task.Gam.attachments.find((one) => one.network === network.Id);
        if (place === undefined) return [];
        return [row(containerName(task), place.address, task.NodeID, task.ID)];
      });
    const vip = vipOf(service, network);
    if (tasks.length === 0 && vip === undefined) continue;
    const Ports = network.Ingress ? ingressPorts(service.Endpoint).map(portText) : [];
    const VIP = vip ?? noAddress;
    entries[service.Spec.Name] = { VIP, Ports, LocalLBIndex: 0, Tasks: tasks };
  }
  const plain = Object.entries(network.Gam.attachments)
    .filter(([, { address }]) => address !== "")
    .map(([key, { name, address, node }]) => row(name, address, node, key));
  if (plain.length > 0) {
    entries[""] = { VIP: noAddress, Ports: [], LocalLBIndex: 0, Tasks: plain };
  }
  return entries;
}

function isShown(task: Task): boolean {
  return isWanted(task) && task.Status.State === "running";
}

/** IPv4 without prefix. */
function vipOf({ Endpoint }: Service, { Id }: Network): string | undefined {
  return Endpoint.VirtualIPs?.find(({ NetworkID }) => NetworkID === Id)?.Addr?.split("/")[0];
}

function portText({ TargetPort = 0, PublishedPort = 0 }: PortConfig): string {
  return `Target: ${TargetPort}, Publish: ${PublishedPort}`;
}
