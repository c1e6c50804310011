/** Service commands: the specs that a service has had, the way back to one, and the steps of a rollout. */
import {
  checkServiceDifference,
  checkServiceHistory,
  checkServiceRollout,
} from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { age } from "../views/age.ts";
import { columns } from "../views/columns.ts";
import { fieldLine } from "../views/plan-view.ts";
import { rolloutView } from "../views/services/rollout-view.ts";

/** Fields that one line of the history names. */
const fieldsShown = 3;

interface Named {
  readonly name: string;
}

/** Errors: those of AgentClient; NOT_FOUND for an unknown service. */
export async function history(
  client: AgentClient,
  io: CommandIo,
  { name, json = false }: Named & { readonly json?: boolean },
): Promise<void> {
  const answer = await client.get(`${pathOf(name)}/history`);
  const { revisions } = checkServiceHistory(answer, "history");
  if (json) return io.print(JSON.stringify(answer, undefined, 2));
  const rows = [...revisions].reverse().map(({ number, at, image, changes }, index) => {
    const more = changes.length - fieldsShown;
    const fields = changes.slice(0, fieldsShown).map(({ path }) => path);
    return [
      index === 0 ? `${number} *` : String(number),
      age(io.nowMs() - Date.parse(at)),
      image.replace(/@.*$/, ""),
      [...fields, ...(more > 0 ? [`${more} more`] : [])].join(", "),
    ];
  });
  for (const line of columns([["REVISION", "WRITTEN", "IMAGE", "CHANGED"], ...rows])) {
    io.print(line);
  }
}

/** Shows what is different between two revisions. Errors: as history(); NOT_FOUND for one that is not kept. */
export async function difference(
  client: AgentClient,
  io: CommandIo,
  { name, from, to }: Named & { readonly from?: string; readonly to?: string },
): Promise<void> {
  const query = new URLSearchParams({ ...(from && { from }), ...(to && { to }) });
  const answer = await client.get(`${pathOf(name)}/diff?${query}`);
  const found = checkServiceDifference(answer, "difference");
  io.print(`${name}: revision ${found.from} → ${found.to}`);
  if (found.changes.length === 0) io.print("Nothing is different");
  for (const change of found.changes) io.print(fieldLine(change));
}

/** Errors: as difference(); REFUSED when the cluster refuses the spec now. */
export async function rollback(
  client: AgentClient,
  io: CommandIo,
  { name, to }: Named & { readonly to: number },
): Promise<void> {
  await client.post(`${pathOf(name)}/rollback`, { to });
  io.print(`${name} returns to revision ${to}. Run "docker service ps ${name}" to see its tasks`);
}

/** Shows how far a rollout is. Errors: as history(). */
export async function rollout(
  client: AgentClient,
  io: CommandIo,
  { name, json = false }: Named & { readonly json?: boolean },
): Promise<void> {
  const answer = await client.get(`${pathOf(name)}/rollout`);
  const found = checkServiceRollout(answer, "rollout");
  if (json) return io.print(JSON.stringify(answer, undefined, 2));
  for (const line of rolloutView(found, io.nowMs())) io.print(line);
}

const steered = {
  pause: "is paused. Its weight stays, and it is still rolled back if it fails",
  resume: "goes on",
  promote: "skips its other steps: all connections go to the new version when its tasks run",
  abort: "is undone: all new connections go to the old version",
} as const;
export type RolloutVerb = keyof typeof steered;

/** Errors: as history(); REFUSED when there is no rollout, or nothing to pause or to resume. */
export async function steer(
  client: AgentClient,
  io: CommandIo,
  { name, action }: Named & { readonly action: RolloutVerb },
): Promise<void> {
  await client.post(`${pathOf(name)}/rollout`, { action });
  io.print(`The rollout of ${name} ${steered[action]}`);
}

function pathOf(name: string): string {
  return `/gam/v1/services/${encodeURIComponent(name)}`;
}
