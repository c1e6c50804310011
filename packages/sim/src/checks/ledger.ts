/**
 * Ledger: the holder of each address, port and network identifier, from the log alone.
 *
 * Independent of the leader's allocator, which it tests. Throws a breach as soon as anything is held
 * twice. addressesMissing() finds what is held without need, once nothing happens any more.
 */
import {
  type Event,
  isTerminal,
  isWanted,
  type Network,
  type Node,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { Breach } from "./breach.ts";

interface Holder {
  readonly name: string;
  readonly places: readonly string[];
}

export class Ledger {
  readonly #holders = new Map<string, string>();

  take(event: Event): void {
    const [before, after] = [held(event, event.before), held(event, event.after)];
    for (const place of before?.places ?? []) {
      if (this.#holders.get(place) === before?.name) this.#holders.delete(place);
    }
    for (const place of after?.places ?? []) {
      const other = this.#holders.get(place);
      if (other !== undefined && other !== after?.name) {
        throw new Breach(`${place} is held by ${other} and by ${after?.name}`);
      }
      this.#holders.set(place, after?.name ?? "");
    }
    if (event.table === "task" && event.after !== undefined) ranWithAddresses(event);
  }
}

function held(
  { table }: Pick<Event, "table">,
  row: Event["after"] | Event["before"],
): Holder | undefined {
  if (row === undefined) return undefined;
  switch (table) {
    case "task":
      return ofTask(row as Task);
    case "service":
      return ofService(row as Service);
    case "network":
      return ofNetwork(row as Network);
    case "node": {
      const { ID, Gam } = row as Node;
      return {
        name: `node ${ID}`,
        places: Gam.tunnel === undefined ? [] : [`tunnel ${Gam.tunnel}`],
      };
    }
    default:
      return undefined;
  }
}

function ofTask({ ID, Status, Gam }: Task): Holder {
  const lives = !isTerminal(Status.State);
  const places = Gam.attachments.map(({ network, address }) => `${address} of ${network}`);
  return { name: `task ${ID}`, places: lives ? places : [] };
}

function ofService({ ID, Endpoint }: Service): Holder {
  const vips = (Endpoint.VirtualIPs ?? []).map(
    ({ NetworkID, Addr }) => `${(Addr ?? "").split("/")[0]} of ${NetworkID}`,
  );
  const ports = (Endpoint.Ports ?? [])
    .filter(({ PublishMode, PublishedPort }) => PublishMode !== "host" && PublishedPort)
    .map(({ Protocol, PublishedPort }) => `port ${PublishedPort}/${Protocol ?? "tcp"}`);
  return { name: `service ${ID}`, places: [...vips, ...ports] };
}

/** Network, broadcast and gateway address count as held by the network. */
function ofNetwork({ Id, IPAM, Gam }: Network): Holder {
  const places = [
    ...Object.values(Gam.gateways),
    ...Object.values(Gam.attachments).map(({ address }) => address),
    ...IPAM.Config.map(({ Gateway }) => Gateway ?? ""),
  ].filter((address) => address !== "");
  const doubles = places.filter((place, index) => places.indexOf(place) !== index);
  if (doubles.length > 0) throw new Breach(`${doubles[0]} is held twice in network ${Id}`);
  const own = places.map((address) => `${address} of ${Id}`);
  if (Gam.vni !== 0) own.push(`VNI ${Gam.vni}`, `subnet ${IPAM.Config[0]?.Subnet}`);
  return { name: `network ${Id}`, places: own };
}

/** Checks that a wanted, running task has an address in each of its networks. */
function ranWithAddresses({ after: task }: Extract<Event, { table: "task" }>): void {
  if (task?.Status.State !== "running" || !isWanted(task)) return;
  const networks = new Set(task.Gam.attachments.map(({ network }) => network as string));
  const lacking = (task.Spec.Networks ?? []).find(({ Target }) => !networks.has(Target));
  if (lacking !== undefined) {
    throw new Breach(`task ${task.ID} runs without an address in network ${lacking.Target}`);
  }
  const publishes = task.Gam.endpoint.Ports?.some(({ PublishMode }) => PublishMode !== "host");
  if (publishes && networks.size <= (task.Spec.Networks ?? []).length) {
    throw new Breach(`task ${task.ID} publishes a port and has no ingress address`);
  }
}

/** The first address that is held without need or missing; undefined when there is none. */
export function addressesMissing(view: View): string | undefined {
  for (const network of view.networks()) {
    const wrong = wrongIn(network, view);
    if (wrong !== undefined) return `network ${network.Name}: ${wrong}`;
  }
  for (const { ID, Spec, Endpoint } of view.services()) {
    const targets = (Spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target);
    const publishes = Spec.EndpointSpec?.Ports?.some(({ PublishMode }) => PublishMode !== "host");
    const ingress = view.networks().filter(({ Ingress }) => Ingress && publishes);
    const all = [...targets, ...ingress.map(({ Id }) => Id)];
    const wanted = Spec.EndpointSpec?.Mode === "dnsrr" ? [] : all;
    const given = (Endpoint.VirtualIPs ?? []).map(({ NetworkID }) => NetworkID);
    if (given.toSorted().join() !== wanted.toSorted().join()) {
      return `service ${ID} has VIPs in ${given.join() || "no network"}`;
    }
  }
  const gone = view.tasks().find(({ Status, Gam }) => {
    return (
      !isTerminal(Status.State) && Gam.attachments.some(({ network }) => !view.network(network))
    );
  });
  if (gone !== undefined) return `task ${gone.ID} has an address in a deleted network`;
  const bare = view.nodes().find(({ Gam }) => Gam.tunnel === undefined);
  return bare && `node ${bare.ID} has no tunnel address`;
}

function wrongIn({ Id, Ingress, Gam, IPAM }: Network, view: View): string | undefined {
  if (Gam.vni === 0 || IPAM.Config[0]?.Subnet === undefined) return "it has no subnet";
  const tasks = view.tasks().filter(({ Status, Gam: extra }) => {
    return !isTerminal(Status.State) && extra.attachments.some(({ network }) => network === Id);
  });
  const plain = Object.values(Gam.attachments);
  const homeless = plain.find(({ node, address }) => address === "" || !view.node(node));
  if (homeless !== undefined) return `container ${homeless.name} has no address or no node`;
  const published = view.services().some(({ Spec }) => {
    return Spec.EndpointSpec?.Ports?.some(({ PublishMode }) => PublishMode !== "host");
  });
  const coming = tasks.some(({ NodeID }) => NodeID === undefined);
  for (const { ID } of view.nodes()) {
    const has = Gam.gateways[ID] !== undefined;
    const needs =
      (Ingress && published === true) ||
      tasks.some(({ NodeID }) => NodeID === ID) ||
      plain.some(({ node }) => node === ID);
    if (needs && !has) return `node ${ID} has no bridge`;
    // A bridge stays on a node to which a task may return.
    if (has && !needs && !coming) return `node ${ID} has an unneeded bridge`;
  }
  const ghost = Object.keys(Gam.gateways).find((id) => !view.nodes().some(({ ID }) => ID === id));
  return ghost && `${ghost} has a bridge but is not a node`;
}
