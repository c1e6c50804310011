/**
 * Network book: the engine's networks that stand for networks of the cluster.
 *
 * Knows them by their label; names are only for people. Never touches a network without it.
 */
import { check, type NetworkId } from "@gam/core";
import { label, type NetworkPlan } from "@gam/worker";
import { type EngineClient, EngineRefusal } from "./engine-client.ts";

const limitMs = 60_000;
const text = check.string(1 << 20);
const listed = check.list(
  check.object({ Id: text, Labels: check.optional(check.map(text, 4096)) }),
  1 << 16,
);
const created = check.object({ Id: text });

export class NetworkBook {
  readonly #client: EngineClient;
  readonly #ids = new Map<NetworkId, string>();

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** The engine's id of a network that is there, as far as is known. */
  idOf(network: NetworkId): string | undefined {
    return this.#ids.get(network);
  }

  forget(): void {
    this.#ids.clear();
  }

  /** Errors: EngineRefusal, EngineUnreachable. */
  async ensure(plan: NetworkPlan): Promise<void> {
    const known = (await this.#list()).find(({ network }) => network === plan.network);
    this.#ids.set(plan.network, known?.id ?? (await this.#create(plan)));
  }

  /** Errors: EngineRefusal (one of them is in use), EngineUnreachable. */
  async prune(keep: readonly NetworkId[]): Promise<void> {
    let refusal: EngineRefusal | undefined;
    for (const { id, network } of await this.#list()) {
      if (keep.includes(network)) continue;
      try {
        await this.#client.call({ method: "DELETE", path: `/networks/${id}`, limitMs });
        this.#ids.delete(network);
      } catch (thrown) {
        if (!(thrown instanceof EngineRefusal)) throw thrown;
        if (thrown.status !== 404) refusal = thrown;
      }
    }
    if (refusal !== undefined) throw refusal;
  }

  async #list(): Promise<{ id: string; network: NetworkId }[]> {
    const filters = { label: [label.cluster, label.network] };
    const answer = await this.#client.call({
      method: "GET",
      path: "/networks",
      query: { filters },
      limitMs,
    });
    return listed(answer, "networks").flatMap(({ Id, Labels }) => {
      const network = Labels?.[label.network];
      return network === undefined ? [] : [{ id: Id, network: network as NetworkId }];
    });
  }

  async #create({ name, network, body }: NetworkPlan): Promise<string> {
    try {
      return await this.#make(name, body);
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal) || thrown.status !== 409) throw thrown;
      // Somebody else's network has the name.
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
