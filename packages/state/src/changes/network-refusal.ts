/**
 * Network refusal: why a network cannot be created, used or removed in the present state.
 *
 * The messages are Swarm's and Docker's where those have one.
 */
import { type NetworkId, type NodeId, unreachable } from "@gam/core";
import { ingressOf, isPredefined } from "../derived/network-need.ts";
import { mayGoBack, needsIngress } from "../derived/ports.ts";
import type { ChangeOf, Refusal } from "../log/change.ts";
import type { View } from "../log/view.ts";
import { endsOf, isInside, overlaps } from "../objects/addresses/cidr.ts";
import type { Network } from "../objects/network.ts";
import { tunnelRange } from "../objects/node.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { containerName, isTerminal } from "../objects/task.ts";
import { demandsEncryption } from "../specs/network-spec.ts";
import { missing, takenId } from "./refusal.ts";

type Change = ChangeOf<"network">;
type Of<Kind extends Change["kind"]> = Extract<Change, { readonly kind: Kind }>;

export function networkRefusal(view: View, change: Change): Refusal | undefined {
  switch (change.kind) {
    case "createNetwork":
      return (
        takenName(view, change) ??
        takenId(view.network(change.network.Id), `network ${change.network.Id}`) ??
        secondIngress(view, change) ??
        unkeepable(view, change) ??
        takenSubnet(view, change)
      );
    case "removeNetwork":
      return missing(view.network(change.id), `network ${change.id}`) ?? inUse(view, change.id);
    case "attachContainer":
      return (
        missing(view.network(change.network), `network ${change.network}`) ??
        unattachable(view, change) ??
        badWish(view, change)
      );
    case "detachContainer":
    case "allocateNetwork":
    case "setGateways":
    case "setAttachment":
    case "refuseAttachment":
      return undefined;
    default:
      unreachable(change);
  }
}

function takenName(view: View, { network }: Of<"createNetwork">): Refusal | undefined {
  if (!view.networks().some(({ Name }) => Name === network.Name)) return undefined;
  return { code: "NAME_IN_USE", message: `network with name ${network.Name} already exists` };
}

function secondIngress(view: View, { network }: Of<"createNetwork">): Refusal | undefined {
  const known = network.Ingress ? ingressOf(view) : undefined;
  if (known === undefined) return undefined;
  return { code: "NAME_IN_USE", message: `ingress network (${known.Id}) is already present` };
}

/** Refuse it now: otherwise its tasks would wait for a node that encrypts, and nobody would know why. */
function unkeepable(view: View, { network }: Of<"createNetwork">): Refusal | undefined {
  if (!demandsEncryption(network)) return undefined;
  if (view.nodes().some(({ Gam }) => (Gam.network?.encryption ?? "none") !== "none"))
    return undefined;
  const remedy = 'it takes WireGuard in the kernel, or "apt-get install wireguard-go" on the nodes';
  const message = `Cannot create network "${network.Name}": no node can encrypt; ${remedy}`;
  return { code: "BAD_REQUEST", message };
}

/**
 * With overlapping ranges, containers could not reach hosts in the other range, or would hide them from others.
 */
function takenSubnet(view: View, { network }: Of<"createNetwork">): Refusal | undefined {
  for (const { Subnet = "" } of network.IPAM.Config) {
    const holder = holderOf(view, Subnet);
    if (holder === undefined) continue;
    const message = `Cannot create network "${network.Name}": subnet ${Subnet} overlaps ${holder}`;
    return { code: "IN_USE", message };
  }
  return undefined;
}

function holderOf(view: View, subnet: string): string | undefined {
  for (const { Name, IPAM } of view.networks()) {
    const other = IPAM.Config.find(({ Subnet = "" }) => overlaps(subnet, Subnet));
    if (other !== undefined) return `${other.Subnet} of network "${Name}"`;
  }
  for (const { ID, Description, Status, Gam } of view.nodes()) {
    const node = `node "${Description.Hostname || ID}"`;
    const route = Gam.network?.routes.find((one) => overlaps(subnet, one));
    if (route !== undefined) return `${route}, to which ${node} has a route`;
    if (overlaps(subnet, Status.Addr)) return `${Status.Addr}, the address of ${node}`;
  }
  return overlaps(subnet, tunnelRange) ? `${tunnelRange}, the encrypted tunnels` : undefined;
}

/** The service names a network that was removed after the name was resolved. */
export function lostNetwork(view: View, spec: ServiceSpec): Refusal | undefined {
  for (const target of targetsOf(spec)) {
    if (isPredefined(target) || view.network(target as NetworkId) !== undefined) continue;
    return { code: "NOT_FOUND", message: `network ${target} not found` };
  }
  return undefined;
}

function targetsOf(spec: ServiceSpec | undefined): string[] {
  const networks = [...(spec?.TaskTemplate.Networks ?? []), ...(spec?.Networks ?? [])];
  return networks.map(({ Target }) => Target);
}

function inUse(view: View, id: NetworkId): Refusal | undefined {
  const network = view.network(id);
  const users = view.services();
  const user = users.find((service) => {
    // The networks of a possible rollback are in use as well.
    const specs = [service.Spec, mayGoBack(service) ? service.PreviousSpec : undefined];
    return specs.flatMap(targetsOf).includes(id);
  });
  if (user !== undefined) {
    return { code: "IN_USE", message: `network ${id} is in use by service ${user.ID}` };
  }
  const publisher = network?.Ingress
    ? users.find(({ Spec }) => needsIngress(Spec.EndpointSpec, Spec.Labels))
    : undefined;
  if (publisher !== undefined) {
    const message = `ingress network cannot be removed because service ${publisher.ID} depends on it`;
    return { code: "IN_USE", message };
  }
  const containers = Object.values(network?.Gam.attachments ?? {}).map(({ name, node }) => {
    return `${name} on node ${nameOf(view, node)}`;
  });
  if (containers.length === 0) return undefined;
  const named = containers.sort().slice(0, namedMax).join(", ");
  const more = containers.length > namedMax ? ` and ${containers.length - namedMax} more` : "";
  const message = `network ${network?.Name} has active endpoints: ${named}${more}`;
  return { code: "IN_USE", message };
}

const namedMax = 5;

function unattachable(view: View, change: Of<"attachContainer">): Refusal | undefined {
  const network = view.network(change.network);
  if (network?.Attachable !== true) {
    const message = `Could not attach to network ${network?.Name}: network ${network?.Id} not manually attachable`;
    return { code: "REFUSED", message };
  }
  if (view.node(change.node) !== undefined) return undefined;
  return { code: "NOT_FOUND", message: `node ${change.node} not found` };
}

/** The leader assigns the address later. This says at once why it would not. */
function badWish(view: View, { network: id, wish }: Of<"attachContainer">): Refusal | undefined {
  const network = view.network(id);
  if (wish === undefined || network === undefined) return undefined;
  const refuse = (code: Refusal["code"], why: string): Refusal => {
    return { code, message: `Could not attach to network ${network.Name}: ${why}` };
  };
  const [{ Subnet = "", Gateway = "" } = {}] = network.IPAM.Config;
  if (Subnet === "") return refuse("BAD_REQUEST", "it has no subnet yet; try again");
  if (!isInside(wish, Subnet)) {
    return refuse("BAD_REQUEST", `address ${wish} is not in its subnet ${Subnet}`);
  }
  const [first, last] = endsOf(Subnet);
  const second = first.replace(/\d+$/, (part) => String(Number(part) + 1));
  if ([first, last, Gateway || second].includes(wish)) {
    return refuse("BAD_REQUEST", `address ${wish} of ${Subnet} is not for containers`);
  }
  const holder = holderOfAddress(view, network, wish);
  if (holder === undefined) return undefined;
  return refuse("IN_USE", `address ${wish} is in use by ${holder}`);
}

function holderOfAddress(view: View, { Id, Gam }: Network, address: string): string | undefined {
  for (const [node, gateway] of Object.entries(Gam.gateways)) {
    if (gateway === address) return `node ${nameOf(view, node as NodeId)} itself`;
  }
  for (const one of Object.values(Gam.attachments)) {
    if (one.address !== address && one.wish !== address) continue;
    return `container ${one.name} on node ${nameOf(view, one.node)}`;
  }
  for (const { Spec, Endpoint } of view.services()) {
    const vips = Endpoint.VirtualIPs ?? [];
    if (vips.some((vip) => vip.NetworkID === Id && vip.Addr?.split("/")[0] === address)) {
      return `service ${Spec.Name}`;
    }
  }
  const task = view.tasks().find(({ Status, Gam: { attachments } }) => {
    if (isTerminal(Status.State)) return false;
    return attachments.some((one) => one.network === Id && one.address === address);
  });
  return task === undefined ? undefined : `task ${containerName(task)}`;
}

function nameOf(view: View, node: NodeId): string {
  return view.node(node)?.Description.Hostname || node;
}
