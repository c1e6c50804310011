/**
 * Phrases: an event of the log, or a client's request, in a few words.
 *
 * Names only what differs between the row before and the row after.
 */
import type {
  AskedChange,
  Cluster,
  Config,
  Event,
  Network,
  Node,
  Secret,
  Service,
  ServiceMode,
  ServiceSpec,
  Task,
  VolumeRecord,
} from "@gam/state";
import { hostsIn, type Names } from "./names.ts";

export interface Phrase {
  readonly text: string;
  /** The objects and groups that the phrase is about, for `--only`. */
  readonly about: readonly string[];
  readonly hosts: readonly string[];
}

/** The groups that `--only` takes, besides names of objects. */
export const groups = ["mishaps", "peers", "nodes", "services", "networks", "cluster"] as const;

export function phraseOfEvent(event: Event, names: Names): Phrase {
  names.learnFrom(event);
  switch (event.table) {
    case "task":
      return phraseOfTask(event.before, event.after, names);
    case "service":
      return phraseOfService(event.before, event.after, names);
    case "node":
      return phraseOfNode(event.before, event.after, names);
    case "network":
      return phraseOfNetwork(event.before, event.after, names);
    case "cluster":
      return phraseOfCluster(event.before, event.after);
    case "secret":
    case "config":
      return phraseOfContent(event.table, event.before, event.after);
    case "volume":
      return phraseOfVolume(event.before, event.after, names);
  }
}

/** "created: …", "deleted", or what differs; "changed" for a difference without a phrase. */
function told<T>(
  before: T | undefined,
  after: T | undefined,
  { first, differs }: { first: (row: T) => string; differs: (a: T, b: T) => (string | false)[] },
): string {
  if (after === undefined) return "deleted";
  if (before === undefined) return `created${first(after)}`;
  return differs(before, after).filter(Boolean).join(", ") || "changed";
}

function phraseOfTask(before: Task | undefined, after: Task | undefined, names: Names): Phrase {
  const row = (after ?? before) as Task;
  const text = told(before, after, {
    first: ({ DesiredState }) => `, desired ${DesiredState}`,
    differs: (a, b) => [
      statusOf(a, b, names),
      a.DesiredState !== b.DesiredState && `desired ${b.DesiredState}`,
      a.Gam.attachments !== b.Gam.attachments && addressesOf(b),
    ],
  });
  const hosts = [before?.NodeID, after?.NodeID].flatMap((id) => (id ? [names.of(id)] : []));
  const about = [row.Gam.serviceName, "services"];
  return { text: `${names.of(row.ID)} ${text}`, about, hosts: [...new Set(hosts)] };
}

function statusOf(a: Task, b: Task, names: Names): string | false {
  const [before, after] = [a.Status, b.Status];
  const why = after.Err ?? after.Message ?? "";
  if (before.State === after.State) {
    return why !== (before.Err ?? before.Message ?? "") && `${after.State}: ${names.plain(why)}`;
  }
  const place = after.State === "assigned" ? "to" : "on";
  const where = b.NodeID === undefined ? "" : ` ${place} ${names.of(b.NodeID)}`;
  return `${after.State}${where}${after.Err ? `: ${names.plain(after.Err)}` : ""}`;
}

function addressesOf({ Gam }: Task): string {
  if (Gam.attachments.length === 0) return "lost its addresses";
  return `got ${Gam.attachments.map(({ address }) => address).join(" ")}`;
}

function phraseOfService(
  before: Service | undefined,
  after: Service | undefined,
  names: Names,
): Phrase {
  const name = (after ?? before)?.Spec.Name ?? "";
  const text = told(before, after, {
    first: ({ Spec }) => `: ${wishOf(Spec, names)}`,
    differs: (a, b) => [
      wishOf(a.Spec, names) !== wishOf(b.Spec, names) && `wants ${wishOf(b.Spec, names)}`,
      a.UpdateStatus?.State !== b.UpdateStatus?.State && updateOf(b),
      a.UpdateStatus?.State === b.UpdateStatus?.State &&
        a.Gam.waveAtMs !== b.Gam.waveAtMs &&
        "update began its next wave",
      endpointOf(a) !== endpointOf(b) && `endpoint ${endpointOf(b) || "removed"}`,
      a.JobStatus?.JobIteration.Index !== b.JobStatus?.JobIteration.Index && "job started again",
    ],
  });
  return { text: `service ${name} ${text}`, about: [name, "services"], hosts: [] };
}

function updateOf({ UpdateStatus }: Service): string {
  if (UpdateStatus === undefined) return "no update";
  const { State, Message } = UpdateStatus;
  return `update ${State}${State === "paused" || State.startsWith("rollback") ? `: ${Message}` : ""}`;
}

function endpointOf({ Endpoint }: Service): string {
  const vips = (Endpoint.VirtualIPs ?? []).map(({ Addr }) => Addr ?? "");
  const ports = (Endpoint.Ports ?? []).map(({ PublishedPort }) => `port ${PublishedPort}`);
  return [...vips, ...ports].join(" ");
}

/** What a service wants, in short: `app:2, 4 replicas, on net1, publishes 9001`. */
export function wishOf(spec: ServiceSpec, names: Names): string {
  const networks = (spec.TaskTemplate.Networks ?? []).map(({ Target }) => names.of(Target));
  const { Ports = [], Mode } = spec.EndpointSpec ?? {};
  const ports = Ports.map(({ PublishedPort }) => PublishedPort || "any port");
  return [
    spec.TaskTemplate.ContainerSpec.Image,
    modeOf(spec.Mode),
    networks.length > 0 && `on ${networks.join(" ")}`,
    ports.length > 0 && `publishes ${ports.join(" ")}`,
    Mode === "dnsrr" && "without a VIP",
  ]
    .filter(Boolean)
    .join(", ");
}

function modeOf(mode: ServiceMode): string {
  if (mode.Global !== undefined) return "global";
  if (mode.GlobalJob !== undefined) return "global job";
  if (mode.ReplicatedJob !== undefined) {
    const { MaxConcurrent = 1, TotalCompletions = MaxConcurrent } = mode.ReplicatedJob;
    return `job of ${TotalCompletions}, ${MaxConcurrent} at once`;
  }
  const replicas = mode.Replicated?.Replicas ?? 1;
  return `${replicas} replica${replicas === 1 ? "" : "s"}`;
}

function phraseOfNode(before: Node | undefined, after: Node | undefined, names: Names): Phrase {
  const host = names.of((after ?? before)?.ID ?? "");
  const text = told(before, after, {
    first: ({ Spec }) => ` as ${Spec.Role}`,
    differs: (a, b) => [
      (a.Status.State !== b.Status.State || a.Status.Message !== b.Status.Message) &&
        `${b.Status.State}${b.Status.Message ? `: ${names.plain(b.Status.Message)}` : ""}`,
      a.Spec.Availability !== b.Spec.Availability && `availability ${b.Spec.Availability}`,
      a.Spec.Role !== b.Spec.Role && `role ${b.Spec.Role}`,
      a.Gam.engine.ready !== b.Gam.engine.ready && engineOf(b, names),
      a.Gam.tunnel !== b.Gam.tunnel && `tunnel address ${b.Gam.tunnel}`,
      a.Gam.network !== b.Gam.network && "network description changed",
    ],
  });
  return { text: `node ${host} ${text}`, about: [host, "nodes"], hosts: [host] };
}

/** Leaves out a reason that is already the node's message, since a node down often means its engine is lost. */
function engineOf({ Gam, Status }: Node, names: Names): string | false {
  if (Gam.engine.ready) return "engine answers";
  return Gam.engine.reason !== Status.Message && `engine lost: ${names.plain(Gam.engine.reason)}`;
}

function phraseOfContent(
  kind: "secret" | "config",
  before: Secret | Config | undefined,
  after: Secret | Config | undefined,
): Phrase {
  const name = (after ?? before)?.Spec.Name ?? "";
  const text = told(before, after, {
    first: () => "",
    differs: (a, b) => [
      a.Gam.current !== b.Gam.current && `has content ${b.Gam.current}`,
      a.Gam.contents.length > b.Gam.contents.length && "lost an old content",
    ],
  });
  return { text: `${kind} ${name} ${text}`, about: [name, "services"], hosts: [] };
}

function phraseOfNetwork(
  before: Network | undefined,
  after: Network | undefined,
  names: Names,
): Phrase {
  const { Name } = (after ?? before) as Network;
  const text = told(before, after, {
    first: () => "",
    differs: (a, b) => [
      a.Gam.vni !== b.Gam.vni && `subnet ${b.IPAM.Config[0]?.Subnet}, VNI ${b.Gam.vni}`,
      keysThatCame(a.Gam.gateways, b.Gam.gateways, (id) => `bridge on ${names.of(id)} added`),
      keysThatCame(b.Gam.gateways, a.Gam.gateways, (id) => `bridge on ${names.of(id)} removed`),
      keysThatCame(a.Gam.attachments, b.Gam.attachments, (key) => `container ${key} attached`),
      keysThatCame(b.Gam.attachments, a.Gam.attachments, (key) => `container ${key} detached`),
    ],
  });
  return {
    text: names.plain(`network ${Name} ${text}`),
    about: [Name, "networks"],
    hosts: hostsIn(text),
  };
}

function keysThatCame(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  say: (key: string) => string,
): string {
  const came = Object.keys(after).filter((key) => !Object.hasOwn(before, key));
  return came.map(say).join(", ");
}

function phraseOfCluster(before: Cluster | undefined, after: Cluster | undefined): Phrase {
  const text = told(before, after, {
    first: () => "",
    differs: (a, b) => [
      a.NextRoot === undefined && b.NextRoot !== undefined && "root key replacement began",
      a.RootPublicKey !== b.RootPublicKey && "root key replaced",
    ],
  });
  return { text: `cluster ${text}`, about: ["cluster"], hosts: [] };
}

function phraseOfVolume(
  before: VolumeRecord | undefined,
  after: VolumeRecord | undefined,
  names: Names,
): Phrase {
  const name = (after ?? before)?.ID ?? "";
  const hosts = (after?.Homes ?? []).map(({ node }) => names.of(node));
  const text = after === undefined ? "deleted" : `on ${hosts.join(" and ") || "no host"}`;
  return { text: `volume ${name} ${text}`, about: [name, "services"], hosts };
}

/** A client's request, as a command. */
export function phraseOfChange(change: AskedChange, names: Names): Phrase {
  const service = (id: string, text: (name: string) => string): Phrase => {
    const name = names.of(id);
    return { text: text(name), about: [name, "services"], hosts: [] };
  };
  const network = (id: string, text: (name: string) => string): Phrase => {
    const name = names.of(id);
    return { text: text(name), about: [name, "networks"], hosts: [] };
  };
  const node = (id: string, text: (host: string) => string): Phrase => {
    const host = names.of(id);
    return { text: text(host), about: [host, "nodes"], hosts: [host] };
  };
  switch (change.kind) {
    case "createService":
      names.learn(change.id, change.spec.Name ?? "");
      return service(change.id, (name) => `create service ${name}: ${wishOf(change.spec, names)}`);
    case "updateService": {
      const { spec } = change;
      if (spec === "previous") {
        return service(change.id, (name) => `roll service ${name} back`);
      }
      return service(change.id, (name) => `update service ${name}: ${wishOf(spec, names)}`);
    }
    case "removeService":
      return service(change.id, (name) => `remove service ${name}`);
    case "createNetwork":
      names.learn(change.network.Id, change.network.Name);
      return network(change.network.Id, (name) => `create network ${name}`);
    case "removeNetwork":
      return network(change.id, (name) => `remove network ${name}`);
    case "attachContainer": {
      names.learn(change.key, change.name);
      const host = names.of(change.node);
      const text = `attach container ${change.name} on ${host} to network`;
      return { ...network(change.network, (name) => `${text} ${name}`), hosts: [host] };
    }
    case "detachContainer": {
      const text = `detach container ${names.of(change.key)} from network`;
      return network(change.network, (name) => `${text} ${name}`);
    }
    case "joinNode":
      return node(change.node.ID, (host) => `join node ${host} as ${change.node.Spec.Role}`);
    case "updateNode": {
      const { Role, Availability } = change.spec;
      return node(change.id, (host) => `set node ${host}: ${Role}, ${Availability}`);
    }
    case "removeNode":
      return node(change.id, (host) => `remove node ${host}`);
    default:
      return { text: change.kind, about: ["cluster"], hosts: [] };
  }
}
