/**
 * Restore routes: what a restore would do, and the restore itself, from a place or from the body of the call.
 *
 * Nothing of the volume changes before the backup is whole and verified on the volume's host.
 */
import { Readable } from "node:stream";
import { check, fromBase64, jsonOr, type NodeId, type TaskId, type VolumeName } from "@gam/core";
import {
  type Backup,
  bindingVolumes,
  isTerminal,
  restoreRefusal,
  type Task,
  type View,
  type VolumeRecord,
  volumeUser,
} from "@gam/state";
import { type BackupManifest, checkBackupManifest, type RestorePlan } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { hostnameOf } from "../answers/node-answer.ts";
import type { BackupSourceDoor, ClusterDoor } from "../door/door.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { nodeOf, secretFor, volumeName } from "./backup-routes.ts";
import type { ContainerContext } from "./container-routes.ts";
import { insistOnMember } from "./volume-records.ts";

interface Ref {
  readonly Params: { readonly name: string };
  readonly Querystring: {
    readonly host?: string;
    readonly source?: string;
    readonly manifest?: string;
  };
}

const text = check.optional(check.string());
const storedFields = { host: text, from: text, backup: text, secret: text };
const planFields = { ...storedFields, file: text, manifest: check.optional(checkBackupManifest) };

type Asked = check.Checked<check.Check<{ [K in keyof typeof storedFields]?: string | undefined }>>;

/** A backup at a place. */
interface Stored {
  /** Its id, if the state has it. */
  readonly backup?: string;
  readonly file: string;
  readonly text: string;
  readonly source: BackupSourceDoor;
}

export function restoreRoutes(app: FastifyInstance, { door }: ContainerContext): void {
  const insist = async (): Promise<View> => {
    insistOnMember(door);
    requireManager(door);
    await door.fresh();
    return door.view();
  };
  const hostOf = (name: VolumeName, host: string | undefined, view: View): NodeId => {
    return nodeOf(name, host, { view, door, option: "--on" });
  };

  /** As restore, or with `file` and `manifest` for a file that the client sends then. */
  app.post<Ref>("/gam/v1/volumes/:name/restore/plan", async (request): Promise<RestorePlan> => {
    const { file, manifest: given, ...asked } = await readOwnBody(request.body, planFields);
    const view = await insist();
    const name = volumeName(request.params.name);
    const node = hostOf(name, asked.host, view);
    if (file !== undefined) return await plan(door, { name, node, source: file, manifest: given });
    const { backup, ...found } = await storedAt(name, { asked, node }, door);
    const manifest = await found.source.manifest(found.file);
    return await plan(door, { name, node, backup, source: found.text, manifest });
  });

  /** `{}` for the newest backup, `{"backup":ID}` or `{"from":"host3:/srv/backups/x.tar"}`, and `"host"` for where to. */
  app.post<Ref>("/gam/v1/volumes/:name/restore", async (request) => {
    const asked = await readOwnBody(request.body, storedFields);
    const view = await insist();
    const volume = volumeName(request.params.name);
    const node = hostOf(volume, asked.host, view);
    const { file, text: source, source: store } = await storedAt(volume, { asked, node }, door);
    const manifest = await store.manifest(file);
    const tar = await store.read(file);
    return { restore: await door.backups().restore({ volume, node, source, manifest, tar }) };
  });

  /** The body is a tar; `?manifest=` has its manifest as base64 of JSON, if there is one. */
  app.put<Ref>("/gam/v1/volumes/:name/restore", async (request) => {
    const { host, source = "a client", manifest: sent } = request.query;
    const view = await insist();
    const volume = volumeName(request.params.name);
    const node = hostOf(volume, host, view);
    if (!(request.body instanceof Readable)) throw new ApiError(400, "the body must be a tar");
    const manifest = sent === undefined ? undefined : readManifest(sent);
    const tar = request.body;
    return { restore: await door.backups().restore({ volume, node, source, manifest, tar }) };
  });
}

/** Errors: GamError BAD_FRAME. */
function readManifest(sent: string): BackupManifest {
  const bytes = fromBase64(sent) ?? new Uint8Array();
  return checkBackupManifest(jsonOr(Buffer.from(bytes).toString(), undefined), "manifest");
}

/** Errors: ApiError 404, 400; those of BackupDoor.source(). */
async function storedAt(
  name: VolumeName,
  { asked, node }: { readonly asked: Asked; readonly node: NodeId },
  door: ClusterDoor,
): Promise<Stored> {
  const { from, backup, secret: named } = asked;
  if (from === undefined) return await known(name, { id: backup, node }, door);
  const at = from.lastIndexOf("/");
  const [to, file] = [from.slice(0, at), from.slice(at + 1)];
  if (at < 1 || !file.endsWith(".tar")) {
    throw new ApiError(
      400,
      `"${from}" is no backup: use the place and the name of a file that ends with ".tar"`,
    );
  }
  const secret = secretFor(to, named, door.view());
  const source = await door.backups().source({ to, secret }, door.self);
  return { file, text: from, source };
}

/** A backup that the state has: the one of the id, or the newest whole one of the data that the node has. */
async function known(
  name: VolumeName,
  { id, node }: { readonly id: string | undefined; readonly node: NodeId },
  door: ClusterDoor,
): Promise<Stored> {
  const view = door.view();
  const found = id === undefined ? newestOf(name, node, view) : backupCalled(name, id, view);
  const file = found.end?.file ?? "";
  const source = await door.backups().source({ to: found.to, secret: found.secret }, found.node);
  return { backup: found.id, file, text: `${found.to}/${file}`, source };
}

/** Errors: ApiError 404. */
function newestOf(name: VolumeName, node: NodeId, view: View): Backup {
  const record = view.volume(name);
  const whole = record === undefined ? [] : wholeOf(record);
  // A volume that was moved has backups of its earlier host. Each of several homes has data of its own.
  const isShared = (record?.Homes.length ?? 0) > 1;
  const found = (isShared ? whole.filter((one) => one.node === node) : whole).at(-1);
  if (found !== undefined) return found;
  const host = view.node(node);
  const of = isShared ? ` of its data on ${host === undefined ? node : hostnameOf(host)}` : "";
  const remedy = isShared
    ? "--backup takes one of another host, --from one of another place"
    : "--from names another place";
  throw new ApiError(
    404,
    `volume ${name}: no whole backup${of} is known. "gam volume backup ls" lists them; ${remedy}`,
  );
}

/** The backup may be that of another volume: so a copy is made. Errors: ApiError 404, 400. */
function backupCalled(name: VolumeName, id: string, view: View): Backup {
  const whole = view.volumes().flatMap(wholeOf);
  const exact = whole.find((one) => one.id === id);
  const [found, other] =
    exact === undefined ? whole.filter((one) => one.id.startsWith(id)) : [exact];
  if (found === undefined || id === "") {
    throw new ApiError(
      404,
      `volume ${name}: no whole backup "${id}" is known. "gam volume backup ls" lists them; --from names another place`,
    );
  }
  if (other === undefined) return found;
  throw new ApiError(
    400,
    `volume ${name}: "${id}" begins the ids of several backups (${found.id}, ${other.id}): give more of it`,
  );
}

function wholeOf({ Backups }: VolumeRecord): readonly Backup[] {
  return (Backups?.list ?? []).filter(({ end }) => end?.result === "complete");
}

async function plan(
  door: ClusterDoor,
  about: {
    readonly name: VolumeName;
    readonly node: NodeId;
    readonly backup?: string | undefined;
    readonly source: string;
    readonly manifest: BackupManifest | undefined;
  },
): Promise<RestorePlan> {
  const { name, node, backup, source, manifest } = about;
  const view = door.view();
  const host = view.node(node);
  const { exists, presentBytes, freeBytes, blockers } = await door.backups().look(name, node);
  const change = {
    ...({ kind: "restoreVolume", id: name, restore: "", node, source } as const),
    ...{ bytes: 0, digest: "" },
  };
  const needed = manifest?.bytes ?? 0;
  const full =
    exists && freeBytes < needed
      ? `the host has ${freeBytes} bytes free, and the backup has ${needed}`
      : undefined;
  return {
    ...{ volume: name, host: host === undefined ? node : hostnameOf(host), source },
    ...{ backup: backup ?? null, manifest: manifest ?? null, exists, presentBytes, freeBytes },
    stops: stopped(view.volume(name), node, view),
    obstacle: restoreRefusal(view, change)?.message ?? blockers[0] ?? full ?? "",
  };
}

/** A task that stops takes its pod with it. */
function stopped(record: VolumeRecord | undefined, node: NodeId, view: View): readonly string[] {
  if (record === undefined) return [];
  const running = view.tasksOn(node).filter(({ Status }) => !isTerminal(Status.State));
  const using = running.filter((task) => {
    return bindingVolumes(task, view.service(task.ServiceID)).includes(record.ID);
  });
  const pods = new Set(using.map(podOf));
  return running.filter((task) => pods.has(podOf(task))).map(volumeUser);
}

function podOf({ ID, Gam }: Task): TaskId {
  return Gam.pod ?? ID;
}
