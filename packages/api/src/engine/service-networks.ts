/**
 * Service networks: which network of the cluster each network in a service's spec means.
 *
 * Clients may name networks; the state knows them by id. A network of this engine is refused in Swarm's words,
 * except `bridge` and `host`, which every engine has.
 */
import { type NetworkTarget, predefinedNetworks, type View } from "@gam/state";
import { networkNaming } from "../answers/network-answer.ts";
import { ApiError } from "../request/api-error.ts";
import { fieldsOf, textOf } from "../request/fields.ts";
import { find } from "../request/reference.ts";
import { type Engine, missing } from "./engine.ts";
import { isOurs } from "./engine-networks.ts";

/** References to this engine's own networks (an id, or its beginning), with the name that every engine has. */
export type EngineNames = ReadonlyMap<string, string>;

/** Neither the cluster nor every engine has this network. */
class UnknownNetwork extends ApiError {
  readonly ref: string;

  constructor(ref: string) {
    super(500, `network ${ref} not found`);
    this.ref = ref;
  }
}

/** Errors: ApiError 500 for an unknown network, as in Swarm; 400 for the ingress network. */
export function networksById(
  targets: readonly NetworkTarget[],
  view: View,
  names: EngineNames,
): NetworkTarget[] {
  const networks = [...predefinedNetworks, ...view.networks()];
  return targets.map((target) => {
    const ref = names.get(target.Target) ?? target.Target;
    const network = find(ref, networks, networkNaming);
    if (network === undefined) throw new UnknownNetwork(target.Target);
    if (network.Ingress) {
      const message = `Service cannot be explicitly attached to the ingress network "${network.Name}"`;
      throw new ApiError(400, `rpc error: code = InvalidArgument desc = ${message}`);
    }
    return { ...target, Target: network.Id };
  });
}

/**
 * Calls `work`, and asks the engine about each network that `work` does not know.
 *
 * Errors: those of `work`; ApiError 403 for a network that only this engine has.
 */
export async function withEngineNetworks<T>(
  engine: Engine,
  work: (names: EngineNames) => Promise<T>,
): Promise<T> {
  const names = new Map<string, string>();
  for (;;) {
    try {
      return await work(names);
    } catch (thrown) {
      if (!(thrown instanceof UnknownNetwork) || names.has(thrown.ref)) throw thrown;
      names.set(thrown.ref, await nameOnEngine(engine, thrown));
    }
  }
}

/** Returns: the name of a network that every engine has. Errors: ApiError for any other network. */
async function nameOnEngine(engine: Engine, unknown: UnknownNetwork): Promise<string> {
  const path = `/networks/${encodeURIComponent(unknown.ref)}`;
  const answer = await engine.ask("GET", path).catch(missing);
  if (answer?.status !== 200 || isOurs(answer.body)) throw unknown;
  const name = textOf(fieldsOf(answer.body).Name);
  if (predefinedNetworks.some(({ Name }) => Name === name)) return name;
  if (name === "none") {
    const found = `network ${name} not found`;
    throw new ApiError(500, `could not find the corresponding predefined swarm network: ${found}`);
  }
  throw new ApiError(
    403,
    `The network ${name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
  );
}
