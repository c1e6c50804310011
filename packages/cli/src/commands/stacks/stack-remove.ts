/** Stack remove: removes what the label of a stack marks, in the docker client's order. */

import { stackLabel } from "@gam/compose";
import { GamError } from "@gam/core";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { networksOf, objectsOf, servicesOf } from "../../agent/engine-calls.ts";

/**
 * Removes services first, since networks, secrets and configs that a service uses cannot be removed. An empty
 * stack is no error.
 *
 * Errors: REFUSED, after everything was tried, if something could not be removed.
 */
export async function removeStack(client: AgentClient, io: CommandIo, name: string): Promise<void> {
  const filters = { label: [`${stackLabel}=${name}`] };
  const services = await servicesOf(client, name);
  const networks = await networksOf(client, name);
  const secrets = await objectsOf(client, "secrets", filters);
  const configs = await objectsOf(client, "configs", filters);
  const named = (kind: string, path: string, items: typeof secrets | typeof services) =>
    items.map(({ ID, Spec }) => ({ kind, name: Spec.Name, path: `/${path}/${ID}` }));
  const all = [
    ...named("service", "services", services),
    ...named("secret", "secrets", secrets),
    ...named("config", "configs", configs),
    ...networks.map(({ Id, Name }) => ({
      kind: "network",
      name: Name,
      path: `/networks/${Id}`,
    })),
  ];
  if (all.length === 0) io.complain(`Nothing found in stack: ${name}`);
  let failures = 0;
  for (const { kind, name: item, path } of all) {
    io.print(`Removing ${kind} ${item}`);
    try {
      await client.delete(path);
    } catch (thrown) {
      // Somebody else removed it in the meantime.
      if (!(thrown instanceof GamError) || thrown.code === "UNREACHABLE") throw thrown;
      if (thrown.code === "NOT_FOUND") continue;
      failures += 1;
      io.complain(`Cannot remove ${kind} ${item}: ${thrown.message}`);
    }
  }
  if (failures > 0) {
    const message = `Cannot remove ${failures} of ${all.length} objects of stack "${name}". Run the command again`;
    throw new GamError("REFUSED", message);
  }
}
