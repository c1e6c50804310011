/**
 * Fast path: service addresses translated inside of containers, and their TCP past the bridge.
 *
 * Keeps two things by plans and by what the engine says of containers: a table in each container's network
 * namespace, and one of the host's for what its containers send to other hosts and get from them. What they
 * are for is said in `@gam/network`, container-table.ts and fast-path-table.ts.
 *
 * Nothing depends on it: a container that cannot be entered, or whose table cannot be written, takes the
 * bridge and is translated by the host. So does one whose connections the host translates already, from
 * before its own rules were there: their answers must come by the bridge until they have ended.
 *
 *   fast.meet(sandboxes);      // as often as the engine is asked
 *   await fast.follow(plan);   // for each plan, and every 15 s: the lease of the host's table ends otherwise
 */
import { access } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { NetworkId } from "@gam/core";
import {
  addressesIn,
  containerTable,
  type DeviceName,
  type FastPlace,
  fastPathTable,
  goneAddresses,
  type Ip4,
  ip4,
  type NftTable,
  type NodePlan,
  newLease,
  refilledTable,
  renewedLease,
  tableChange,
  wholeTable,
} from "@gam/network";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { PacketFilter } from "./kernel/packet-filter.ts";
import { enter, hostEnds, type Sandbox, type SandboxEndpoint } from "./kernel/sandbox.ts";

const atOnce = 4 * availableParallelism();
/** In one go, so that those that are here do not wait long for a change when a host comes up with hundreds. */
const newcomersMax = 16;
/** One that fails so often in a row is left to the bridge. */
const triesMax = 3;
/** Nobody but the container itself can have changed its table. */
const anewMs = 600_000;
const leaseMs = 10_000;
/** The kernel's whole table of connections is read for it. */
const proveMs = 10_000;
const empty = "table ip gam {\n}\ndelete table ip gam\n";

/** A container that can be entered. */
interface Guest {
  readonly run: Run;
  endpoints: readonly SandboxEndpoint[];
  /** MAC to the host's end of the link. */
  ends: ReadonlyMap<string, DeviceName>;
  /** Endpoints that no answer to a connection of the host's comes to. */
  readonly clear: Set<string>;
  /** What its namespace has; `undefined` when that is not known. */
  table: NftTable | undefined;
  writtenMs: number;
  /** When it was last looked for connections of the host's. */
  provedMs: number;
  failures: number;
}

export class FastPath {
  readonly #run: Run;
  readonly #filter: PacketFilter;
  readonly #guests = new Map<string, Guest>();
  /** As the engine told last. */
  #met: readonly Sandbox[] = [];
  /** What it told has not been heeded yet. */
  #isNews = false;
  #leasedMs = Number.NEGATIVE_INFINITY;
  #isWritten = false;
  /** What an agent before this one has left is not believed. */
  #isBegun = false;
  /** Services' addresses that the host's table knows. */
  #vips: ReadonlySet<string> = new Set();
  /** Of containers, by network, in the same table. */
  #addresses: ReadonlyMap<NetworkId, ReadonlySet<Ip4>> = new Map();

  constructor(run: Run) {
    this.#run = run;
    this.#filter = new PacketFilter(run, "netdev");
  }

  /**
   * Tells of all containers with a place in one of gam's networks, as they are now.
   *
   * Shape: whether that is news, to be followed soon.
   */
  meet(sandboxes: readonly Sandbox[]): boolean {
    const isOld = textOf(sandboxes) === textOf(this.#met);
    this.#met = sandboxes;
    // One that could not be entered is tried again each time.
    this.#isNews ||= !isOld || [...this.#guests.values()].some((guest) => !isComplete(guest));
    return !isOld;
  }

  /**
   * Whether the host may be told of the plan's services by now. A connection to one that this does not know
   * would be translated by the host, and its answers would come past it.
   */
  knows(plan: NodePlan): boolean {
    return servedVips(plan).every((vip) => this.#vips.has(vip));
  }

  /**
   * Shape: whether there is more to do: to be called again soon.
   * Errors: CommandFailed: frames take the bridge, at once or when the lease has ended.
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

  /** Shape: whether the host's table was not as it had been left. Errors: CommandFailed. */
  async check(): Promise<boolean> {
    if (!this.#isWritten) return false;
    const mended = await this.#filter.check({ proving: false });
    if (mended) await this.#lease();
    return mended;
  }

  /** Devices of gam's were made anew under their names. */
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

  /** Takes note of who came and went. */
  async #receive(): Promise<void> {
    if (!this.#isNews) return;
    const met = this.#met;
    const paths = new Set(met.map(({ path }) => path));
    const gone = [...this.#guests].filter(([path]) => !paths.has(path));
    for (const [path] of gone) this.#guests.delete(path);
    await eachOf(gone, ([path, guest]) => leave(path, guest));
    const changed: Guest[] = [];
    for (const { path, endpoints } of met) {
      const known = this.#guests.get(path);
      if (known === undefined && !(await exists(path))) continue;
      const guest = known ?? newGuest(enter(this.#run, path));
      this.#guests.set(path, guest);
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
    for (const [index, guest] of now.entries()) {
      guest.ends = ends[index] ?? new Map();
      guest.failures = isComplete(guest) ? 0 : guest.failures + 1;
    }
  }

  /** Finds links that no answer to a connection of the host's comes by. Errors: CommandFailed. */
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
    // Somebody has taken the table away.
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
    await isLoaded(this.#run, goneAddresses(gone)); // Unless somebody has taken the table away.
  }

  /** Shape: whether there is a table that can have one. */
  async #lease(): Promise<boolean> {
    // One that has ended cannot be renewed.
    const isLeased =
      (await isLoaded(this.#run, renewedLease)) || (await isLoaded(this.#run, newLease));
    this.#leasedMs = isLeased ? performance.now() : Number.NEGATIVE_INFINITY;
    return isLeased;
  }

  /** From now on frames take the bridge. */
  async #endLease(): Promise<void> {
    this.#leasedMs = Number.NEGATIVE_INFINITY;
    this.#filter.doubt();
    await isLoaded(this.#run, "flush set netdev gam lease\n"); // Unless the table is not there.
  }
}

/** Has the guest's own table be that of a plan. One that cannot be written is left to the bridge. */
async function translate(guest: Guest, plan: NodePlan): Promise<void> {
  if (guest.failures >= triesMax || !isComplete(guest)) return;
  const table = containerTable(
    plan,
    guest.endpoints.map(({ network }) => network),
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
  // What is there is better taken away than believed.
  if (guest.failures === triesMax) await isLoaded(guest.run, empty);
  if (!isDone) return;
  guest.table = table;
  guest.writtenMs = performance.now();
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

/** Where frames may go past the bridge. */
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

/** A container that is in none of gam's networks any more keeps nothing of gam's. */
async function leave(path: string, { run, table }: Guest): Promise<void> {
  if (table === undefined || !(await exists(path))) return;
  await isLoaded(run, empty); // Unless it has just gone.
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
