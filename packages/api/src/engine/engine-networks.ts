/** Engine networks: those networks of the local engine that stand for networks of the cluster. */
import type { NetworkId } from "@gam/core";
import type { EngineAnswer } from "@gam/engine";
import { label } from "@gam/state";
import { fieldsOf } from "../request/fields.ts";
import { type Engine, missing } from "./engine.ts";

export interface EngineNetwork {
  /** As the engine calls it. */
  readonly id: string;
  readonly name: string;
  readonly network: NetworkId;
}

/** Whether the engine's network is one that gam made. */
export function isOurs(network: unknown): boolean {
  return labelOf(network) !== undefined;
}

/** All of them; `undefined` where no engine answers. */
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

/** A list that the engine answered; `undefined` for anything else. */
export function listOf(answer: EngineAnswer | undefined): readonly unknown[] | undefined {
  return answer?.status === 200 && Array.isArray(answer.body) ? answer.body : undefined;
}

function labelOf(network: unknown): string | undefined {
  const found = fieldsOf(fieldsOf(network).Labels)[label.network];
  return typeof found === "string" ? found : undefined;
}
