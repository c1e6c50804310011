/** Volume commands: show where the data of services is, and move it to another host. */
import { setTimeout as pause } from "node:timers/promises";
import { check, GamError } from "@gam/core";
import { checkVolumeList, type VolumeSummary } from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { columns } from "../views/columns.ts";
import { progressOf, volumeRows } from "../views/volumes/volume-rows.ts";

const lookMs = 500;
const checkMove = check.object({ move: check.string() });

async function volumesOf(client: AgentClient): Promise<readonly VolumeSummary[]> {
  return checkVolumeList(await client.get("/gam/v1/volumes"), "volumes").volumes;
}

export async function list(
  client: AgentClient,
  io: CommandIo,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const volumes = await volumesOf(client);
  if (json) return void io.print(JSON.stringify(volumes, undefined, 2));
  for (const line of columns(volumeRows(volumes))) io.print(line);
}

export interface MoveWish {
  readonly name: string;
  readonly host: string;
  readonly from?: string | undefined;
  readonly detach?: boolean;
}

/** Errors: GamError REFUSED for a move that failed, with the reason. */
export async function move(
  client: AgentClient,
  io: CommandIo,
  { name, host, from, detach = false }: MoveWish,
): Promise<void> {
  const path = `/gam/v1/volumes/${encodeURIComponent(name)}/move`;
  const body = { to: host, ...(from !== undefined && { from }) };
  const { move: id } = checkMove(await client.post(path, body), "answer");
  if (detach) return;
  let said = "";
  for (;;) {
    const volume = (await volumesOf(client)).find((one) => one.name === name);
    if (volume?.move?.id !== id) return end(io, { name, host, id }, volume);
    const line = progressOf(volume.move);
    if (line !== said) io.print(line);
    said = line;
    await pause(lookMs);
  }
}

function end(
  io: CommandIo,
  { name, host, id }: { readonly name: string; readonly host: string; readonly id: string },
  volume: VolumeSummary | undefined,
): void {
  const last = volume?.lastMove;
  if (last?.id === id && last.error === undefined) {
    io.print(`Volume ${name} is on ${host} now, SHA-256 ${last.digest}`);
    return;
  }
  const reason = last?.id === id ? last.error : "another command has removed or moved it";
  throw new GamError("REFUSED", `Cannot move volume ${name}: ${reason}. Its data is where it was`);
}

export async function stopMove(client: AgentClient, io: CommandIo, name: string): Promise<void> {
  await client.post(`/gam/v1/volumes/${encodeURIComponent(name)}/stop-move`, {});
  io.print(`Volume ${name} stays where it is`);
}
