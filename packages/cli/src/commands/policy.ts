/** Policy: which services may have power over their hosts. Shows and changes it. */
import { checkPolicy } from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { columns } from "../views/columns.ts";

const path = "/gam/v1/policy";

export interface PolicyChange {
  readonly power: string;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export async function showPolicy(
  client: AgentClient,
  io: CommandIo,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const answer = await client.get(path);
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else show(io, answer);
}

/** Errors: those of AgentClient. */
export async function changePolicy(
  client: AgentClient,
  io: CommandIo,
  change: PolicyChange,
): Promise<void> {
  show(io, await client.post(path, change));
}

function show(io: CommandIo, answer: unknown): void {
  const { powers, breaches } = checkPolicy(answer, "policy");
  const rows = powers.map(({ power, services }) => [power, wordsOf(services)]);
  for (const line of columns([["POWER", "SERVICES"], ...rows])) io.print(line);
  if (breaches.length === 0) return;
  io.print("");
  io.print(
    "These services run with more than they may have now. They are refused at their next update:",
  );
  for (const { service, powers } of breaches) io.print(`  ${service}: ${powers.join(", ")}`);
}

function wordsOf(services: readonly string[]): string {
  if (services.length === 0) return "none";
  return services.includes("*") ? "all" : services.join(", ");
}
