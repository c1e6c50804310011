/** Engine networks: finds the local engine's networks that belong to networks of the cluster. */
import type { NetworkId } from "@gam/core";
import { label } from "@gam/state";
import { fieldsOf } from "../request/fields.ts";
import type { SmallAnswer } from "./call-target.ts";
import { type Engine, missing } from "./engine.ts";

export interface EngineNetwork {
  /** The engine's id. */
  readonly id: string;
  readonly name: string;
  readonly network: NetworkId;
}

/** Returns: whether gam made this network of the engine. */
export function isOurs(network: unknown): boolean {
  return labelOf(network) !== undefined;
}

/** Returns: all of them; `undefined` if no engine answers. */
export async function engineNetworks(
  engine: Engine,
): Promise<readonly EngineNetwork[] | undefined> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label.network] }));
  const answer = await engine.ask("GET", `/networks?filters=${filters}`).catch(missing);
  return listOf(answer)?.flatMap((one) => {
    const { Id, Name } = fieldsOf(one);
    const network = labelOf(one);
    if (network === undefined || typeof Id !== "string" || typeof Name !== "string") return [];
    return [{ id: Id, name: Name, network: network as NetworkId }];
  });
}

export async function engineNetwork(
  engine: Engine,
  network: NetworkId,
): Promise<EngineNetwork | undefined> {
  return (await engineNetworks(engine))?.find((one) => one.network === network);
}

/** Returns: the list in the engine's answer; `undefined` for any other answer. */
export function listOf(answer: SmallAnswer | undefined): readonly unknown[] | undefined {
  return answer?.status === 200 && Array.isArray(answer.body) ? answer.body : undefined;
}

function labelOf(network: unknown): string | undefined {
  const found = fieldsOf(fieldsOf(network).Labels)[label.network];
  return typeof found === "string" ? found : undefined;
}
