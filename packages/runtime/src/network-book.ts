/**
 * Network book: the engine's networks that belong to networks of the cluster.
 *
 * Finds them by gam's label, since names are only for people. Never touches a network without the label. The
 * worker calls it for a task that is about to start, the data plane for a whole plan. Changes run one at a
 * time, so the two never create the same network twice.
 */
import { check, type NetworkId } from "@gam/core";
import { type EngineClient, EngineRefusal } from "@gam/engine";
import { label, type NetworkPlan } from "@gam/state";
import type { BridgeEndpoint } from "./data-plane/bridge-rescue.ts";
import type { Sandbox } from "./data-plane/kernel/sandbox.ts";
import { engineServers } from "./dns/engine-servers.ts";

const limitMs = 60_000;
const mtuOption = "com.docker.network.driver.mtu";
const bridgeOption = "com.docker.network.bridge.name";
const text = check.string(1 << 20);
const texts = check.map(text, 4096);
const listed = check.list(
  check.object({
    Id: text,
    Labels: check.optional(texts),
    Options: check.optional(texts),
    Internal: check.optional(check.boolean),
    IPAM: check.optional(
      check.object({
        Config: check.optional(
          check.list(
            check.object({
              Subnet: check.optional(text),
              IPRange: check.optional(text),
              Gateway: check.optional(text),
            }),
            4096,
          ),
        ),
      }),
    ),
  }),
  1 << 16,
);
const created = check.object({ Id: text });
const detailed = check.object({
  Containers: check.optional(check.map(check.object({ MacAddress: text }), 1 << 16)),
});
const container = check.object({ State: check.object({ Pid: check.integer() }) });
const joined = check.map(
  check.object({
    NetworkID: check.optional(text),
    EndpointID: check.optional(text),
    IPAddress: check.optional(text),
    MacAddress: check.optional(text),
  }),
  4096,
);
const running = check.list(
  check.object({
    Id: text,
    NetworkSettings: check.optional(check.object({ Networks: check.optional(joined) })),
  }),
  1 << 16,
);
const attached = check.object({
  NetworkSettings: check.object({ SandboxKey: text, Networks: joined }),
  ResolvConfPath: check.optional(text),
  HostConfig: check.optional(
    check.object({ Dns: check.optional(check.orNull(check.list(text, 64))) }),
  ),
});

/** One of gam's networks, as the engine lists it. */
type Found = ReturnType<typeof listed>[number] & { readonly network: NetworkId };

export class NetworkBook {
  readonly #client: EngineClient;
  readonly #ids = new Map<NetworkId, string>();
  /** Networks that the data plane uses. prune() never removes them. */
  #held: ReadonlySet<NetworkId> = new Set();
  /** Networks that the worker counts on since ensure(), until a prune() without them. reconcile() never removes them. */
  readonly #promised = new Set<NetworkId>();
  /** Container id to its sandbox, and to the endpoints it had when the sandbox was read. */
  #sandboxes: ReadonlyMap<string, { readonly endpoints: string; readonly sandbox: Sandbox }> =
    new Map();
  /** Settles when all work queued so far is done. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** The engine's id of a network, as far as it is known. */
  idOf(network: NetworkId): string | undefined {
    return this.#ids.get(network);
  }

  forget(): void {
    this.#ids.clear();
  }

  /**
   * Makes a network for a task. It stays until prune() is called without it: a plan of the data plane may be older
   * than the task.
   *
   * Errors: EngineRefusal (also when the network is in use and differs from the plan), EngineUnreachable.
   */
  async ensure(plan: NetworkPlan): Promise<void> {
    // At once: such a plan may be waiting for its turn.
    this.#promised.add(plan.network);
    await this.#alone(async () => {
      await this.#ensure(plan, await this.#list());
    });
  }

  /**
   * Makes exactly these networks exist, of those whose bridges gam names, and keeps prune() from removing them.
   *
   * Returns: whether one was created. Errors: EngineRefusal for the first network that failed (the others are
   * created anyway), EngineUnreachable.
   */
  async reconcile(plans: readonly NetworkPlan[]): Promise<boolean> {
    this.#held = new Set(plans.map(({ network }) => network));
    return await this.#alone(async () => {
      const found = await this.#list();
      for (const one of found) {
        if (one.Options?.[bridgeOption] === undefined || this.#isAwaited(one.network)) continue;
        await this.#removeUnlessUsed(one);
      }
      let refusal: EngineRefusal | undefined;
      let made = false;
      for (const plan of plans) {
        try {
          made = (await this.#ensure(plan, found)) || made;
        } catch (thrown) {
          if (!(thrown instanceof EngineRefusal)) throw thrown;
          refusal ??= new EngineRefusal(thrown.status, `network ${plan.name}: ${thrown.message}`);
        }
      }
      if (refusal !== undefined) throw refusal;
      return made;
    });
  }

  /** Recreates the network with a new bridge. Errors: EngineRefusal (it is in use), EngineUnreachable. */
  async remake(plan: NetworkPlan): Promise<void> {
    await this.#alone(async () => {
      for (const one of await this.#list())
        if (one.network === plan.network) await this.#remove(one);
      await this.#ensure(plan, []);
    });
  }

  /** The network's running containers. Errors: EngineRefusal, EngineUnreachable. */
  async endpointsOn(network: NetworkId): Promise<BridgeEndpoint[]> {
    const known = (await this.#list()).find((one) => one.network === network);
    if (known === undefined) return [];
    const path = `/networks/${known.Id}`;
    const answer = await this.#client.call({ method: "GET", path, limitMs });
    const containers = Object.entries(detailed(answer, "network").Containers ?? {});
    const endpoints = containers.map(async ([id, { MacAddress }]) => {
      return { pid: await this.#pidOf(id), mac: MacAddress };
    });
    return (await Promise.all(endpoints)).filter(({ pid }) => pid > 0);
  }

  /** Running containers that are in one of gam's networks. Errors: EngineRefusal, EngineUnreachable. */
  async sandboxes(): Promise<readonly Sandbox[]> {
    const own = new Map((await this.#list()).map(({ Id, network }) => [Id, network]));
    if (own.size === 0) return [];
    const answer = await this.#client.call({ method: "GET", path: "/containers/json", limitMs });
    const known = this.#sandboxes;
    const found = running(answer, "containers").map(async ({ Id, NetworkSettings }) => {
      const networks = Object.values(NetworkSettings?.Networks ?? {});
      if (!networks.some(({ NetworkID = "" }) => own.has(NetworkID))) return undefined;
      const endpoints = networks.map(({ EndpointID }) => EndpointID).join(" ");
      const last = known.get(Id);
      if (last?.endpoints === endpoints) return [Id, last] as const;
      const sandbox = await this.#sandboxOf(Id, own);
      return sandbox && ([Id, { endpoints, sandbox }] as const);
    });
    this.#sandboxes = new Map((await Promise.all(found)).filter((one) => one !== undefined));
    return [...this.#sandboxes.values()].map(({ sandbox }) => sandbox);
  }

  /** Errors: EngineRefusal (one of them is in use), EngineUnreachable. */
  async prune(keep: readonly NetworkId[]): Promise<void> {
    for (const network of this.#promised) {
      if (!keep.includes(network)) this.#promised.delete(network);
    }
    await this.#alone(async () => {
      let refusal: EngineRefusal | undefined;
      for (const one of await this.#list()) {
        if (keep.includes(one.network) || this.#isAwaited(one.network)) continue;
        try {
          await this.#remove(one);
        } catch (thrown) {
          if (!(thrown instanceof EngineRefusal)) throw thrown;
          refusal = thrown;
        }
      }
      if (refusal !== undefined) throw refusal;
    });
  }

  #isAwaited(network: NetworkId): boolean {
    return this.#held.has(network) || this.#promised.has(network);
  }

  /** Runs one piece of work at a time, in the order of the calls. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    // Catches all: the caller gets the error, and the next piece of work still runs.
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Returns: whether the network had to be created. */
  async #ensure(plan: NetworkPlan, found: readonly Found[]): Promise<boolean> {
    const [first, ...more] = found.filter(({ network }) => network === plan.network);
    for (const double of more) await this.#removeUnlessUsed(double);
    if (first !== undefined && !(await this.#clear(first, plan))) {
      this.#ids.set(plan.network, first.Id);
      return false;
    }
    this.#ids.set(plan.network, await this.#create(plan));
    return true;
  }

  /** Removes a network that differs from the plan. Returns: whether it was removed. */
  async #clear(found: Found, plan: NetworkPlan): Promise<boolean> {
    const difference = differenceOf(found, plan);
    if (difference === "none") return false;
    try {
      await this.#remove(found);
      return true;
    } catch (thrown) {
      // Existing containers keep their packet size until they end. They must not keep new ones out.
      if (thrown instanceof EngineRefusal && difference === "size") return false;
      throw thrown;
    }
  }

  async #remove({ Id, network }: Found): Promise<void> {
    try {
      await this.#client.call({ method: "DELETE", path: `/networks/${Id}`, limitMs });
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal) || thrown.status !== 404) throw thrown;
    }
    if (this.#ids.get(network) === Id) this.#ids.delete(network);
  }

  /** The network may still be in use by containers that are ending; the next call tries again. */
  async #removeUnlessUsed(one: Found): Promise<void> {
    try {
      await this.#remove(one);
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal)) throw thrown;
    }
  }

  /** `undefined`: the container has just ended. */
  async #sandboxOf(id: string, own: ReadonlyMap<string, NetworkId>): Promise<Sandbox | undefined> {
    const answer = await this.#inspect(id);
    if (answer === undefined) return undefined;
    const found = attached(answer, "container");
    const { SandboxKey: path, Networks } = found.NetworkSettings;
    const places = Object.values(Networks).flatMap(
      ({ NetworkID = "", EndpointID: endpoint = "", IPAddress = "", MacAddress = "" }) => {
        const network = own.get(NetworkID);
        if (network === undefined || IPAddress === "" || MacAddress === "") return [];
        return [{ endpoint, network, address: IPAddress, mac: MacAddress }];
      },
    );
    if (path === "" || places.length === 0) return undefined;
    const chosen = found.HostConfig?.Dns ?? [];
    const resolver = {
      ...(await engineServers(chosen, found.ResolvConfPath ?? "")),
      isMixed: Object.values(Networks).some(({ NetworkID = "" }) => !own.has(NetworkID)),
      isChosen: chosen.length > 0,
    };
    return { path, endpoints: places, resolver };
  }

  async #pidOf(id: string): Promise<number> {
    const answer = await this.#inspect(id);
    return answer === undefined ? 0 : container(answer, "container").State.Pid;
  }

  /** `undefined`: the container no longer exists. */
  async #inspect(id: string): Promise<unknown> {
    try {
      return await this.#client.call({ method: "GET", path: `/containers/${id}/json`, limitMs });
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal) || thrown.status !== 404) throw thrown;
      return undefined;
    }
  }

  async #list(): Promise<Found[]> {
    const filters = { label: [label.cluster, label.network] };
    const answer = await this.#client.call({
      method: "GET",
      path: "/networks",
      query: { filters },
      limitMs,
    });
    return listed(answer, "networks").flatMap((one) => {
      const network = one.Labels?.[label.network];
      return network === undefined ? [] : [{ ...one, network: network as NetworkId }];
    });
  }

  async #create({ name, network, body }: NetworkPlan): Promise<string> {
    try {
      return await this.#make(name, body);
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal) || thrown.status !== 409) throw thrown;
      // Another network, not gam's, has the name.
      return await this.#make(`${name}.${network}`, body);
    }
  }

  async #make(Name: string, body: NetworkPlan["body"]): Promise<string> {
    const answer = await this.#client.call({
      method: "POST",
      path: "/networks/create",
      body: { Name, CheckDuplicate: true, ...body },
      limitMs,
    });
    return created(answer, "network").Id;
  }
}

/** Compares only what the plan sets, since the engine adds fields of its own. `size`: only the MTU differs. */
function differenceOf(found: Found, { body }: NetworkPlan): "none" | "size" | "place" {
  const ranges = found.IPAM?.Config ?? [];
  const options = Object.entries(body.Options);
  const other = options.filter(([key, value]) => found.Options?.[key] !== value);
  const elsewhere =
    (found.Internal ?? false) !== body.Internal ||
    other.some(([key]) => key !== mtuOption) ||
    body.IPAM.Config.some(
      ({ Subnet, IPRange, Gateway }, index) =>
        ranges[index]?.Subnet !== Subnet ||
        (ranges[index]?.IPRange ?? "") !== (IPRange ?? "") ||
        (Gateway !== undefined && ranges[index]?.Gateway !== Gateway),
    );
  if (elsewhere) return "place";
  return other.length > 0 ? "size" : "none";
}
