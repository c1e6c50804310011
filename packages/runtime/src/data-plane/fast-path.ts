/**
 * Fast path: translates service addresses inside of containers, and sends their TCP frames past the bridge.
 *
 * Keeps two kinds of tables up to date, from plans and from the engine's list of containers: one in each
 * container's network namespace, and one on the host for traffic between its containers and other hosts.
 * `@gam/network` explains both (container-table.ts, fast-path-table.ts).
 *
 * Nothing depends on it. When a container cannot be entered or its table cannot be written, its frames take the
 * bridge and the host translates them. The same holds while the host still translates connections that are older
 * than the container's own rules: their replies must come through the bridge until those connections have ended.
 *
 * A container's table also brings its resolver's queries to the agent, where the engine would send them elsewhere
 * (resolver-route.ts in `@gam/network`). For such a container, names of gam's networks do depend on the table.
 *
 *   fast.meet(sandboxes);      // for each list of containers from the engine
 *   await fast.follow(plan);   // for each plan, and every 15 s: the lease of the host's table ends otherwise
 */
import { access } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { NetworkId } from "@gam/core";
import {
  addressesIn,
  containerTable,
  type DeviceName,
  deafTo,
  type EngineResolver,
  type FastPlace,
  fastPathTable,
  goneAddresses,
  type Ip4,
  ip4,
  type NftTable,
  type NodePlan,
  newLease,
  type ResolverRoute,
  refilledTable,
  renewedLease,
  resolverRoute,
  tableChange,
  wholeTable,
} from "@gam/network";
import type { RedirectedServers } from "../dns/dns-server.ts";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { PacketFilter } from "./kernel/packet-filter.ts";
import {
  enter,
  hostEnds,
  innerPorts,
  type Sandbox,
  type SandboxEndpoint,
  type SandboxResolver,
} from "./kernel/sandbox.ts";

const atOnce = 4 * availableParallelism();
/** New containers per round. When hundreds start at once, the known containers must not wait long for a change. */
const newcomersMax = 16;
/** After so many failures in a row a container is left to the bridge. */
const triesMax = 3;
/** A container's table is rewritten after this time, in case the container itself has changed it. */
const anewMs = 600_000;
const leaseMs = 10_000;
/** Time between checks for connections that the host translates. Each reads the kernel's whole conntrack table. */
const proveMs = 10_000;
const dnsPort = 53;
const loopSettings = ["route_localnet", "accept_local"];
const empty = "table ip gam {\n}\ndelete table ip gam\n";

/** A container that can be entered. */
interface Guest {
  readonly run: Run;
  resolver: SandboxResolver | undefined;
  /** Loopback addresses are routed in its namespace, for the engine's resolver. */
  isLoopRouted: boolean;
  endpoints: readonly SandboxEndpoint[];
  /** MAC to the host's end of the link. */
  ends: ReadonlyMap<string, DeviceName>;
  /** Endpoints without a connection that the host translates. */
  readonly clear: Set<string>;
  /** The table in its namespace; `undefined` when that is not known. */
  table: NftTable | undefined;
  writtenMs: number;
  /** Time of the last check for connections that the host translates. */
  provedMs: number;
  failures: number;
}

export class FastPath {
  readonly #run: Run;
  readonly #filter: PacketFilter;
  readonly #guests = new Map<string, Guest>();
  /** The engine's last list. */
  #met: readonly Sandbox[] = [];
  /** The last list has not been fully processed yet. */
  #isNews = false;
  #leasedMs = Number.NEGATIVE_INFINITY;
  #isWritten = false;
  /** The first follow() ends the lease of an earlier agent, because that agent's table may be out of date. */
  #isBegun = false;
  /** Service addresses in the host's table. */
  #vips: ReadonlySet<string> = new Set();
  /** Container addresses in the same table, by network. */
  #addresses: ReadonlyMap<NetworkId, ReadonlySet<Ip4>> = new Map();

  constructor(run: Run) {
    this.#run = run;
    this.#filter = new PacketFilter(run, "netdev");
  }

  /**
   * Takes the current list of all containers in gam's networks.
   *
   * Returns: whether the list has changed; then call follow() soon.
   */
  meet(sandboxes: readonly Sandbox[]): boolean {
    const isOld = textOf(sandboxes) === textOf(this.#met);
    this.#met = sandboxes;
    // A container that could not be entered is tried again each time.
    this.#isNews ||= !isOld || [...this.#guests.values()].some((guest) => !isComplete(guest));
    return !isOld;
  }

  /**
   * Whether the host's own table may have the plan's services now. While the fast path does not know a service,
   * the host would translate a connection to it, and the replies would bypass the host's translation.
   */
  knows(plan: NodePlan): boolean {
    return servedVips(plan).every((vip) => this.#vips.has(vip));
  }

  /**
   * Returns: whether there is more to do; then call it again soon.
   * Errors: CommandFailed. Frames then take the bridge, at once or when the lease has ended.
   */
  async follow(plan: NodePlan): Promise<boolean> {
    try {
      if (!this.#isBegun) await this.#endLease();
      this.#isBegun = true;
      await this.#receive();
      const guests = [...this.#guests.values()];
      await eachOf(guests, (guest) => translate(guest, plan));
      await this.#prove(guests, plan);
      await this.#steer(placesOf(guests, plan), plan);
      return this.#isNews;
    } catch (thrown) {
      await this.#endLease();
      throw thrown;
    }
  }

  /** By address of a container: the servers that its queries would go to without a rule inside of it. */
  upstreams(plan: NodePlan): ReadonlyMap<string, RedirectedServers> {
    return new Map(
      [...this.#guests.values()].flatMap((guest): [string, RedirectedServers][] => {
        const route = routeOf(guest, plan);
        const found = route && upstreamsOf(route, guest.resolver?.isChosen);
        return found === undefined ? [] : guest.endpoints.map(({ address }) => [address, found]);
      }),
    );
  }

  /** Networks whose names some of their containers cannot resolve. Sorted. */
  deafTo(plan: NodePlan): readonly string[] {
    const found = [...this.#guests.values()].flatMap(({ endpoints, resolver }) => {
      return (resolver && deafTo(plan, endpoints, resolver)) ?? [];
    });
    return [...new Set(found)].sort();
  }

  /** Returns: whether somebody else had changed the host's table. Errors: CommandFailed. */
  async check(): Promise<boolean> {
    if (!this.#isWritten) return false;
    const mended = await this.#filter.check({ proving: false });
    if (mended) await this.#lease();
    return mended;
  }

  /** Call it when devices of gam's were recreated under the same names: the next write is a whole table. */
  doubt(): void {
    this.#filter.doubt();
  }

  /** Errors: CommandFailed. */
  async remove(): Promise<void> {
    this.#isWritten = false;
    await this.#filter.remove();
    const guests = [...this.#guests];
    this.#guests.clear();
    await eachOf(guests, ([path, guest]) => leave(path, guest));
  }

  /** Adds new containers, updates changed ones, and removes those that left. */
  async #receive(): Promise<void> {
    if (!this.#isNews) return;
    const met = this.#met;
    const paths = new Set(met.map(({ path }) => path));
    const gone = [...this.#guests].filter(([path]) => !paths.has(path));
    for (const [path] of gone) this.#guests.delete(path);
    await eachOf(gone, ([path, guest]) => leave(path, guest));
    const changed: Guest[] = [];
    for (const { path, endpoints, resolver } of met) {
      const known = this.#guests.get(path);
      if (known === undefined && !(await exists(path))) continue;
      const guest = known ?? newGuest(enter(this.#run, path));
      this.#guests.set(path, guest);
      guest.resolver = resolver && { ...resolver, ...innerOf(guest.resolver) };
      if (isComplete(guest) && endpointsOf(guest.endpoints) === endpointsOf(endpoints)) continue;
      guest.endpoints = endpoints;
      guest.ends = new Map();
      guest.provedMs = Number.NEGATIVE_INFINITY;
      if (guest.failures < triesMax) changed.push(guest);
    }
    const now = changed.splice(0, newcomersMax);
    this.#isNews = changed.length > 0;
    if (now.length === 0) return;
    const ends = await hostEnds(
      this.#run,
      now.map(({ run }) => run),
    );
    await eachOf(now, findInner);
    for (const [index, guest] of now.entries()) {
      guest.ends = ends[index] ?? new Map();
      guest.failures = isComplete(guest) ? 0 : guest.failures + 1;
    }
  }

  /** Finds endpoints without a connection that the host translates. Errors: CommandFailed. */
  async #prove(guests: readonly Guest[], { networks }: NodePlan): Promise<void> {
    const nowMs = performance.now();
    const due = guests.filter(
      ({ table, provedMs }) => table !== undefined && nowMs - provedMs > proveMs,
    );
    for (const guest of due) guest.provedMs = nowMs;
    await eachOf(networks, async ({ id, subnet }) => {
      const unclear = due.flatMap(({ endpoints, clear }) =>
        endpoints
          .filter(({ endpoint, network }) => network === id && !clear.has(endpoint))
          .map((place) => ({ place, clear })),
      );
      if (unclear.length === 0) return;
      const filter = ["-L", "-p", "tcp", "--dst-nat", "--orig-src", subnet];
      const found = await this.#run("conntrack", filter);
      const senders = new Set([...found.matchAll(/^.*?\bsrc=(\S+)/gm)].map(([, sender]) => sender));
      for (const { place, clear } of unclear) {
        if (!senders.has(place.address)) clear.add(place.endpoint);
      }
    });
  }

  async #steer(places: readonly FastPlace[], plan: NodePlan): Promise<void> {
    const table = fastPathTable(plan, places);
    if (places.length > 0 || this.#isWritten) await this.#filter.write(table);
    this.#isWritten ||= places.length > 0;
    this.#vips = new Set(servedVips(plan));
    await this.#tellGone(plan);
    const isOver = performance.now() - this.#leasedMs > leaseMs;
    if (places.length === 0 || !isOver || (await this.#lease())) return;
    // Somebody has deleted the table.
    this.#filter.doubt();
    await this.#filter.write(table);
    await this.#lease();
  }

  async #tellGone({ networks }: NodePlan): Promise<void> {
    const before = this.#addresses;
    this.#addresses = new Map(
      networks.map((network) => [network.id, new Set(addressesIn(network))]),
    );
    const gone = [...this.#addresses].flatMap(([network, now]) =>
      [...(before.get(network) ?? [])].filter((address) => !now.has(address)),
    );
    if (!this.#isWritten || gone.length === 0) return;
    await isLoaded(this.#run, goneAddresses(gone)); // Fails when somebody has deleted the table.
  }

  /** Returns: whether the lease was taken. It fails when the table is missing. */
  async #lease(): Promise<boolean> {
    // A lease that has ended cannot be renewed.
    const isLeased =
      (await isLoaded(this.#run, renewedLease)) || (await isLoaded(this.#run, newLease));
    this.#leasedMs = isLeased ? performance.now() : Number.NEGATIVE_INFINITY;
    return isLeased;
  }

  /** From now on frames take the bridge. */
  async #endLease(): Promise<void> {
    this.#leasedMs = Number.NEGATIVE_INFINITY;
    this.#filter.doubt();
    await isLoaded(this.#run, "flush set netdev gam lease\n"); // Fails when there is no table.
  }
}

/** Writes the plan's table into a container. After `triesMax` failures the container is left to the bridge. */
async function translate(guest: Guest, plan: NodePlan): Promise<void> {
  if (guest.failures >= triesMax || !isComplete(guest)) return;
  const table = containerTable(
    plan,
    guest.endpoints.map(({ network }) => network),
    routeOf(guest, plan),
  );
  const isOld = performance.now() - guest.writtenMs > anewMs;
  const turn = isOld ? refilled : tableChange;
  const change = guest.table && turn(guest.table, table);
  if (change === "") {
    guest.table = table;
    return;
  }
  guest.table = undefined;
  const isDone =
    (change !== undefined && (await isLoaded(guest.run, change))) ||
    (await isLoaded(guest.run, `${empty}${wholeTable(table)}`));
  guest.failures = isDone ? 0 : guest.failures + 1;
  // A table that cannot be updated would send connections to old backends, so it is removed.
  if (guest.failures === triesMax) {
    await routeLoopback(guest, false);
    await isLoaded(guest.run, empty);
  }
  if (!isDone) return;
  // After the table, which has the guard.
  await routeLoopback(guest, routeOf(guest, plan)?.inner !== undefined);
  guest.table = table;
  guest.writtenMs = performance.now();
}

function routeOf({ endpoints, resolver }: Guest, plan: NodePlan): ResolverRoute | undefined {
  return resolver && resolverRoute(plan, endpoints, resolver);
}

/** `undefined`: the host's servers. */
function upstreamsOf(
  { own, servers, inner }: ResolverRoute,
  isChosen = false,
): RedirectedServers | undefined {
  if (inner !== undefined) {
    return { servers: [{ address: own, port: inner.udp }], isEngine: true };
  }
  const found = servers.map((address) => ({ address, port: dnsPort }));
  return isChosen ? { servers: found, isEngine: false } : undefined;
}

function innerOf(resolver: SandboxResolver | undefined): Pick<EngineResolver, "inner"> {
  return resolver?.inner === undefined ? {} : { inner: resolver.inner };
}

/** Finds the port of the engine's resolver, where it is needed. */
async function findInner(guest: Guest): Promise<void> {
  const { resolver, run } = guest;
  if (resolver === undefined || !resolver.asksHost || resolver.servers.length > 0) return;
  const { inner: _, ...rest } = resolver;
  try {
    const inner = await innerPorts(run);
    guest.resolver = { ...rest, ...(inner && { inner }) };
  } catch (thrown) {
    if (!(thrown instanceof CommandFailed)) throw thrown; // The container has just ended.
  }
}

/** Lets packets from outside reach the engine's resolver. The table's guard drops all others to the loopback. */
async function routeLoopback(guest: Guest, isWanted: boolean): Promise<void> {
  if (guest.isLoopRouted === isWanted) return;
  const lines = loopSettings.map((setting) => {
    return `echo ${isWanted ? 1 : 0} > /proc/sys/net/ipv4/conf/all/${setting}`;
  });
  try {
    await guest.run("sh", ["-ec", lines.join("; ")]);
    guest.isLoopRouted = isWanted;
  } catch (thrown) {
    if (!(thrown instanceof CommandFailed)) throw thrown; // The container has just ended.
  }
}

function refilled(was: NftTable, is: NftTable): string {
  return refilledTable(is, wholeTable(was));
}

async function isLoaded(run: Run, transaction: string): Promise<boolean> {
  try {
    await nft(run, transaction);
    return true;
  } catch (thrown) {
    if (thrown instanceof CommandFailed) return false;
    throw thrown;
  }
}

function servedVips({ services }: NodePlan): string[] {
  return services.filter(({ backends }) => backends.length > 0).map(({ vip }) => vip);
}

function newGuest(run: Run): Guest {
  return {
    run,
    resolver: undefined,
    isLoopRouted: false,
    endpoints: [],
    ends: new Map(),
    clear: new Set(),
    table: undefined,
    writtenMs: 0,
    provedMs: Number.NEGATIVE_INFINITY,
    failures: 0,
  };
}

function textOf(sandboxes: readonly Sandbox[]): string {
  return sandboxes.map(({ path, endpoints }) => `${path} ${endpointsOf(endpoints)}`).join("\n");
}

function isComplete({ endpoints, ends }: Guest): boolean {
  return endpoints.length > 0 && endpoints.every(({ mac }) => ends.has(mac));
}

function endpointsOf(endpoints: readonly SandboxEndpoint[]): string {
  return endpoints.map(({ endpoint }) => endpoint).join(" ");
}

/** The endpoints whose frames may go past the bridge. */
function placesOf(guests: readonly Guest[], { networks }: NodePlan): FastPlace[] {
  const planned = new Map(networks.map(({ id, locals }) => [id, new Set(locals)]));
  return guests
    .filter(({ table }) => table !== undefined)
    .flatMap(({ endpoints, ends, clear }) =>
      endpoints.flatMap(({ endpoint, network, address: found, mac }) => {
        const device = ends.get(mac);
        const address = ip4(found);
        if (device === undefined || address === undefined || !clear.has(endpoint)) return [];
        return planned.get(network)?.has(address) ? [{ network, address, device }] : [];
      }),
    );
}

/** Removes gam's table from a container that is in none of gam's networks any more. */
async function leave(path: string, guest: Guest): Promise<void> {
  const { run, table } = guest;
  if (table === undefined || !(await exists(path))) return;
  await routeLoopback(guest, false);
  await isLoaded(run, empty); // Fails when the container has just ended.
}

async function nft(run: Run, input: string): Promise<void> {
  await run("nft", ["-f", "-"], { input });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function eachOf<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}
