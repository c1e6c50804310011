/**
 * Client: sends random requests of all kinds to any host that is on.
 */
import type { NetworkId, NodeId, ServiceId } from "@gam/core";
import {
  type AskedChange,
  type EndpointSpec,
  type Node,
  type Placement,
  readNetworkSpec,
  type Service,
  type ServiceMode,
  type ServiceSpec,
  type View,
} from "@gam/state";
import { askForContents, sealedText, withContents } from "./contents.ts";
import { images, jobImages, type SimHost } from "./hosts/host.ts";
import type { World } from "./world.ts";

/** Names of services; from the ninth on `web2`, `api2`, … */
const serviceNames = ["web", "api", "db", "cart", "mail", "blog", "wiki", "chat"] as const;
const servicesMax = 4;
/** Of jobs. Rare enough that all runs end between two due times, so that the cluster comes to rest. */
const schedules = ["*/10 * * * * *", "*/15 * * * * *", "*/20 * * * * *"] as const;
const hostPort = 8080;
const ingressPort = 9000;
/** Without ingress. */
const networksMax = 3;
/** Containers on one network that are not tasks. */
const containersMax = 4;

type Credentials = Pick<
  Extract<AskedChange, { kind: "updateService" }>,
  "registryAuth" | "registryAuthFrom"
>;

/** A random host that is on and has a node in the state, if there is one: before that an agent takes no calls. */
export function pickOn(world: World): SimHost | undefined {
  const on = world.hosts.filter(({ id, peer }) => peer?.view.node(id) !== undefined);
  return on.length === 0 ? undefined : pick(world, on);
}

export function ask(world: World): void {
  const { random } = world;
  const host = pickOn(world);
  const view = host?.peer?.view;
  if (host === undefined || view === undefined) return;
  if (world.networked && random.below(4) === 0) return askForNetworks(world, host, view);
  if (world.secretive && random.below(4) === 0) {
    return askForContents(world, host, view, someId(world, "c"));
  }
  const services = view.services();
  const roll = random.below(10);
  if (services.length === 0 || (roll < 3 && services.length < servicesMax)) {
    const id = someId(world, "s") as ServiceId;
    const bare = newSpec(world, serviceName(world.count("service")));
    const spec = withContents(world, view, connected(world, view, bare));
    return world.ask(host, [{ kind: "createService", id, spec }], {
      kind: "create",
      service: id,
    });
  }
  if (roll === 3) return alter(world, host, view.nodes());
  const service = pick(world, services);
  if (roll === 4) {
    const change = { kind: "removeService" as const, id: service.ID };
    return world.ask(host, [change], { kind: "remove", service: service.ID });
  }
  if (random.below(5) === 0 && service.PreviousSpec !== undefined) {
    return update(world, host, service, "previous");
  }
  update(world, host, service, changed(world, service, view), credentials(world));
}

function credentials(world: World): Credentials {
  const someNew = { registryAuth: sealedText(world.newest(), someId(world, "auth")) };
  return pick<Credentials>(world, [someNew, { registryAuthFrom: "previous-spec" }, {}, {}]);
}

/** Creates and removes networks, and attaches and detaches containers that are not tasks. */
function askForNetworks(world: World, host: SimHost, view: View): void {
  const { random } = world;
  const networks = view.networks().filter(({ Ingress }) => !Ingress);
  const id = someId(world, "n");
  if (networks.length === 0 || (random.below(4) === 0 && networks.length < networksMax)) {
    const body = { Name: `net${world.count("network")}`, Driver: "overlay", Attachable: true };
    const encrypted = random.below(2) === 0 ? { Options: { encrypted: "" } } : {};
    const network = readNetworkSpec({ ...body, ...encrypted }, id as NetworkId);
    return world.ask(host, [{ kind: "createNetwork", network }]);
  }
  const { Id: network, Gam, IPAM } = pick(world, networks);
  const keys = Object.keys(Gam.attachments);
  if (random.below(4) === 0) return world.ask(host, [{ kind: "removeNetwork", id: network }]);
  if (keys.length > 0 && random.below(2) === 0) {
    const key = pick(world, keys);
    return askOwn(world, Gam.attachments[key]?.node, { kind: "detachContainer", network, key });
  }
  if (keys.length >= containersMax) return;
  const node = pick(world, view.nodes()).ID;
  const [first = ""] = IPAM.Config[0]?.Subnet?.split("/") ?? [];
  const wish = first.replace(/\d+$/, String(2 + random.below(8)));
  const wishing = first !== "" && random.below(3) === 0;
  const name = `box${world.count("container")}`;
  const place = { network, key: id, node, name, ...(wishing && { wish }) };
  askOwn(world, node, { kind: "attachContainer", ...place });
}

/** Asks the container's own host, which alone may attach or detach it. */
function askOwn(world: World, node: NodeId | undefined, change: AskedChange): void {
  const own = world.hosts.find(({ id, peer }) => id === node && peer !== undefined);
  if (own !== undefined) world.ask(own, [change]);
}

function serviceName(count: number): string {
  const round = Math.ceil(count / serviceNames.length);
  return `${serviceNames[(count - 1) % serviceNames.length]}${round === 1 ? "" : round}`;
}

function someId({ agenda, random }: World, prefix: string): string {
  const moment = String(Math.floor(agenda.nowMs)).padStart(16, "0");
  return prefix + moment + String(random.below(1000)).padStart(8, "0");
}

export function update(
  world: World,
  host: SimHost,
  service: Service,
  spec: ServiceSpec | "previous",
  kept: Credentials = {},
): void {
  const basedOn = versionRead(world, service);
  const change = { kind: "updateService", id: service.ID, spec, basedOn, ...kept } as const;
  world.ask(host, [change], { kind: "update", service: service.ID });
}

/** The version as a random host has it. That copy may be newer than the one of the host that gets the write. */
function versionRead(world: World, { ID, Version }: Service): number {
  const elsewhere = world.random.below(2) === 0 ? world.newest().service(ID) : undefined;
  return (elsewhere?.Version ?? Version).Index;
}

function alter(world: World, host: SimHost, nodes: readonly Node[]): void {
  // One host always stays active, so that every service can run somewhere.
  const drainable = nodes.filter(({ ID }) => ID !== world.hosts[0]?.id);
  if (drainable.length === 0) return;
  const node = pick(world, drainable);
  const Availability = node.Spec.Availability === "active" ? "drain" : "active";
  const spec = { ...node.Spec, Availability } as const;
  world.ask(host, [
    { kind: "updateNode", id: node.ID as NodeId, spec, basedOn: node.Version.Index },
  ]);
}

function newSpec(world: World, name: string): ServiceSpec {
  const { random } = world;
  const Mode = newMode(world);
  const isJob = Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined;
  const onePerNode = !isJob && random.below(8) === 0;
  const Placement = newPlacement(world, Mode);
  const isFull = onePerNode || Placement?.MaxReplicas !== undefined;
  const isStored = sharers.test(name) && Mode.Replicated && !isFull && !Placement;
  return {
    Name: name,
    ...(isJob && world.scheduled && { Labels: { "gam.cron": pick(world, schedules) } }),
    TaskTemplate: {
      ContainerSpec: {
        Image: isJob ? pick(world, jobImages) : pick(world, images),
        ...(isStored && { Mounts: [sharedMount] }),
      },
      RestartPolicy: {
        Condition: isJob ? "on-failure" : "any",
        Delay: 1e9,
        ...(isJob && { MaxAttempts: 2 }),
      },
      ...(Placement && { Placement }),
    },
    Mode,
    ...(!isJob && {
      UpdateConfig: {
        Parallelism: random.below(3),
        Delay: random.below(2) * 5e8,
        Monitor: 1e9,
        // If a task must stop before another fits, start-first would wait without end.
        Order: !isFull && random.below(2) === 0 ? "start-first" : "stop-first",
        FailureAction: pick(world, ["pause", "continue", "rollback"] as const),
        MaxFailureRatio: 0.5,
      },
      RollbackConfig: { Parallelism: random.below(3), Monitor: 1e9, FailureAction: "pause" },
    }),
    ...(onePerNode && {
      EndpointSpec: {
        // A port of its own: which of two services gets a shared port cannot be predicted.
        Ports: [
          {
            TargetPort: 80,
            PublishedPort: hostPort + (world.agenda.nowMs % 50_000),
            PublishMode: "host" as const,
          },
        ],
      },
    }),
  };
}

const sharedMount = { Type: "volume", Source: "shared", Target: "/data" } as const;
/** Services with these names have the same local volume. */
const sharers = /^(db|mail|wiki)/;

function newMode({ random }: World): ServiceMode {
  switch (random.below(8)) {
    case 0:
    case 1:
      return { Global: {} };
    case 2:
      return {
        ReplicatedJob: {
          MaxConcurrent: 1 + random.below(3),
          TotalCompletions: 1 + random.below(6),
        },
      };
    case 3:
      return { GlobalJob: {} };
    default:
      return { Replicated: { Replicas: 1 + random.below(6) } };
  }
}

function newPlacement(world: World, { Replicated }: ServiceMode): Placement | undefined {
  switch (world.random.below(8)) {
    case 0:
      return { Constraints: [`node.labels.zone==z${world.random.below(2)}`] };
    case 1:
      return { Constraints: [`node.hostname!=${pick(world, world.hosts).id}`] };
    case 2:
      return { Preferences: [{ Spread: { SpreadDescriptor: "node.labels.zone" } }] };
    case 3:
      return Replicated && { MaxReplicas: 1 + world.random.below(2) };
    default:
      return undefined;
  }
}

/** Adds some of the networks, a VIP or none, and a port that another service may want too. */
function connected(world: World, view: View, spec: ServiceSpec): ServiceSpec {
  const { random } = world;
  if (!world.networked) return spec;
  const Networks = view
    .networks()
    .filter(({ Ingress }) => !Ingress && random.below(2) === 0)
    .map(({ Id }) => ({ Target: Id }));
  const TaskTemplate = { ...spec.TaskTemplate, Networks };
  const isBound = spec.EndpointSpec?.Ports?.some(({ PublishMode }) => PublishMode === "host");
  if (isBound) return { ...spec, TaskTemplate };
  const port = { TargetPort: 80, PublishMode: "ingress" as const };
  const EndpointSpec: EndpointSpec = pick(world, [
    {},
    { Mode: "dnsrr" },
    { Ports: [port] },
    { Ports: [{ ...port, PublishedPort: ingressPort + random.below(3) }] },
  ]);
  return { ...spec, TaskTemplate, EndpointSpec };
}

function changed(world: World, { Spec }: Service, view: View): ServiceSpec {
  if (world.secretive && world.random.below(4) === 0) return withContents(world, view, Spec);
  if (world.networked && world.random.below(4) === 0) return connected(world, view, Spec);
  if (world.random.below(2) === 0 && Spec.Mode.Replicated !== undefined) {
    return { ...Spec, Mode: { Replicated: { Replicas: world.random.below(7) } } };
  }
  const isJob = Spec.Mode.ReplicatedJob !== undefined || Spec.Mode.GlobalJob !== undefined;
  const Image = isJob ? pick(world, jobImages) : pick(world, images);
  return withImage(Spec, Image);
}

export function withImage(spec: ServiceSpec, Image: string): ServiceSpec {
  const { TaskTemplate } = spec;
  const ContainerSpec = { ...TaskTemplate.ContainerSpec, Image };
  return { ...spec, TaskTemplate: { ...TaskTemplate, ContainerSpec } };
}

export function pick<T>(world: World, list: readonly T[]): T {
  return list[world.random.below(list.length)] as T;
}
