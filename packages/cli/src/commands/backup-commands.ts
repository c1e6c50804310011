/** Backup commands: back volumes up to a file or a place, list the backups, and restore. */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { check, GamError, jsonOr, sizeText } from "@gam/core";
import {
  type BackupManifest,
  type BackupRow,
  checkBackupList,
  checkBackupManifest,
  checkRestorePlan,
  checkVolumeList,
  type RestorePlan,
  type VolumeSummary,
} from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import { manifestBeside, writeBackupFile } from "../agent/backup-file.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { backupsView, restoreView } from "../views/volumes/backup-view.ts";

const lookMs = 500;
const checkBackup = check.object({ backup: check.string() });
const checkRestore = check.object({ restore: check.string() });

export interface BackupWish {
  readonly name: string;
  readonly output?: string;
  readonly to?: string;
  readonly secret?: string;
  readonly from?: string;
  readonly detach?: boolean;
}

/** Errors: GamError BAD_REQUEST for options that do not go together; REFUSED for a backup that failed. */
export async function backup(client: AgentClient, io: CommandIo, wish: BackupWish): Promise<void> {
  const { name, output, to, secret, from, detach = false } = wish;
  if (output === undefined) {
    const body = { ...(to && { to }), ...(secret && { secret }), ...(from && { from }) };
    const answer = await client.post(`${pathOf(name)}/backups`, body);
    const { backup: id } = checkBackup(answer, "answer");
    return detach ? io.print(id) : await untilMade(client, io, { name, id });
  }
  if (to !== undefined || secret !== undefined || detach) {
    const found = "--output writes a file here: leave --to, --secret and --detach out";
    throw new GamError("BAD_REQUEST", `Cannot back up volume ${name}: ${found}`);
  }
  const receive = async (into: Writable): Promise<BackupManifest> => {
    const body = from === undefined ? {} : { from };
    return manifestIn(await client.download(`${pathOf(name)}/backup`, body, into), name);
  };
  const made =
    output === "-"
      ? await receive(outputOf(io))
      : await writeBackupFile(resolve(io.cwd, output), receive);
  for (const note of made.notes) io.complain(`Note: ${note}`);
  const where = output === "-" ? "standard output" : output;
  const line = `Volume ${name} of ${made.host} is in ${where}: ${sizeText(made.bytes)}, SHA-256 ${made.sha256}`;
  if (output === "-") io.complain(line);
  else io.print(line);
}

function pathOf(name: string): string {
  return `/gam/v1/volumes/${encodeURIComponent(name)}`;
}

function outputOf({ data, isTerminal }: CommandIo): Writable {
  if (data !== undefined && !isTerminal) return data.out;
  throw new GamError(
    "BAD_REQUEST",
    "Cannot write a backup to a terminal: redirect the output, or name a file",
  );
}

/** Errors: REFUSED with the agent's reason; UNREACHABLE for a stream that ended without one. */
function manifestIn(
  trailers: Readonly<Record<string, string | undefined>>,
  name: string,
): BackupManifest {
  const { "gam-manifest": manifest, "gam-error": error } = trailers;
  const plain = (text: string): string => Buffer.from(text, "base64").toString();
  if (error !== undefined) throw new GamError("REFUSED", plain(error));
  if (manifest === undefined) {
    throw new GamError("UNREACHABLE", `Cannot back up volume ${name}: the data was cut off`);
  }
  return checkBackupManifest(jsonOr(plain(manifest), undefined), "manifest");
}

async function untilMade(
  client: AgentClient,
  io: CommandIo,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<void> {
  let said = "";
  for (;;) {
    const { backups } = checkBackupList(await client.get("/gam/v1/backups"), "backups");
    const row = backups.find((one) => one.id === id);
    const line = progressOf(name, row);
    if (line !== said && line !== "") io.print(line);
    said = line;
    if (row?.state === "complete") return;
    if (row === undefined || row.state === "failed") {
      const reason = row?.reason ?? "its host was removed";
      throw new GamError("REFUSED", `Volume ${name} was not backed up. ${reason}`);
    }
    await io.pause(lookMs);
  }
}

function progressOf(name: string, row: BackupRow | undefined): string {
  switch (row?.state) {
    case "complete": {
      const note = row.reason === "" ? "" : `. Note: ${row.reason}`;
      return `Volume ${name} of ${row.host} is in ${row.to}/${row.file}: ${sizeText(row.bytes)}, SHA-256 ${row.sha256}${note}`;
    }
    case "waiting":
      return `Waiting for ${row.host}, which does not answer`;
    case "running":
      return `Backing up from ${row.host} to ${row.to}`;
    default:
      return "";
  }
}

export async function list(
  client: AgentClient,
  io: CommandIo,
  { name, json = false }: { readonly name?: string; readonly json?: boolean },
): Promise<void> {
  const all = checkBackupList(await client.get("/gam/v1/backups"), "backups");
  const isMeant = ({ volume }: { readonly volume: string }): boolean => {
    return name === undefined || volume === name;
  };
  const shown = {
    schedules: all.schedules.filter(isMeant),
    backups: all.backups.filter(isMeant),
    missed: all.missed.filter(isMeant),
  };
  if (json) return void io.print(JSON.stringify(shown, undefined, 2));
  for (const line of backupsView(shown)) io.print(line);
}

export interface RestoreOptions {
  readonly name: string;
  readonly input?: string;
  readonly from?: string;
  readonly backup?: string;
  readonly secret?: string;
  readonly on?: string;
  readonly plan?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly detach?: boolean;
}

/** Returns: false if nothing was done. Errors: GamError BAD_REQUEST, REFUSED. */
export async function restore(
  client: AgentClient,
  io: CommandIo,
  options: RestoreOptions,
): Promise<boolean> {
  const { name, input, from, backup, plan: only = false, yes = false, json = false } = options;
  if ([input, from, backup].filter((one) => one !== undefined).length > 1) {
    const found = "--input, --from and --backup each name the source: use one of them";
    throw new GamError("BAD_REQUEST", `Cannot restore volume ${name}: ${found}`);
  }
  const source = await sourceOf(io, options);
  const answer = await client.post(`${pathOf(name)}/restore/plan`, source.asked);
  const plan = checkRestorePlan(answer, "plan");
  if (json) io.print(JSON.stringify(plan, undefined, 2));
  else for (const line of restoreView(plan)) io.print(line);
  if (plan.obstacle !== "") {
    throw new GamError("REFUSED", `Cannot restore volume ${name}: ${plan.obstacle}`);
  }
  if (only) return true;
  if (!yes && !(await insists(io, plan))) return false;
  const { restore: id } = checkRestore(await source.send(client, plan), "answer");
  if (options.detach === true) return true;
  await untilRestored(client, io, { name, id });
  return true;
}

interface Source {
  /** The body of the call for a plan. */
  readonly asked: object;
  /** Sends the backup that the plan has shown: meanwhile there may be a newer one. */
  readonly send: (client: AgentClient, plan: RestorePlan) => Promise<unknown>;
}

async function sourceOf(io: CommandIo, options: RestoreOptions): Promise<Source> {
  const { name, input, from, backup, secret, on } = options;
  const host = on === undefined ? {} : { host: on };
  if (input === undefined) {
    const asked = {
      ...host,
      ...(from && { from }),
      ...(backup && { backup }),
      ...(secret && { secret }),
    };
    return {
      asked,
      send: async (client, plan) => {
        const body = { ...asked, ...(plan.backup !== null && { backup: plan.backup }) };
        const sending = { method: "POST", path: `${pathOf(name)}/restore`, body } as const;
        return await client.patiently(sending);
      },
    };
  }
  const path = resolve(io.cwd, input);
  const manifest = input === "-" ? undefined : await manifestBeside(path);
  const file = input === "-" ? "standard input" : input;
  const query = new URLSearchParams({
    source: file,
    ...(on !== undefined && { host: on }),
    ...(manifest && { manifest: Buffer.from(JSON.stringify(manifest)).toString("base64") }),
  });
  return {
    asked: { ...host, file, ...(manifest && { manifest }) },
    send: async (client) => {
      const tar = input === "-" ? inputOf(io) : createReadStream(path, { highWaterMark: 1 << 18 });
      return await client.upload(`${pathOf(name)}/restore?${query}`, tar, "application/x-tar");
    },
  };
}

function inputOf({ data }: CommandIo): Readable {
  if (data !== undefined) return data.in;
  throw new GamError("BAD_REQUEST", "Cannot read a backup: there is no standard input");
}

/** Returns: whether the user said yes; false without a terminal. */
async function insists(io: CommandIo, { volume, host }: RestorePlan): Promise<boolean> {
  if (io.ask === undefined) {
    io.complain("Nothing was done. To restore, add --yes");
    return false;
  }
  const said = await io.ask(`Type "yes" to restore volume ${volume} on ${host}: `);
  if (said.trim() === "yes") return true;
  io.complain("Nothing was done");
  return false;
}

async function untilRestored(
  client: AgentClient,
  io: CommandIo,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<void> {
  let said = false;
  for (;;) {
    const { volumes } = checkVolumeList(await client.get("/gam/v1/volumes"), "volumes");
    const volume: VolumeSummary | undefined = volumes.find((one) => one.name === name);
    if (volume?.restore?.id !== id) return restored(io, { name, id }, volume);
    if (!said)
      io.print(`The backup is whole on ${volume.restore.host}; the tasks that use the volume stop`);
    said = true;
    await io.pause(lookMs);
  }
}

function restored(
  io: CommandIo,
  { name, id }: { readonly name: string; readonly id: string },
  volume: VolumeSummary | undefined,
): void {
  const last = volume?.lastRestore;
  if (last?.id === id && last.error === undefined) {
    io.print(`Volume ${name} on ${last.host} is restored from ${last.source}`);
    return;
  }
  const reason = last?.id === id ? last.error : "another command has removed it";
  throw new GamError("REFUSED", `Cannot restore volume ${name}: ${reason}. Its data is as it was`);
}
