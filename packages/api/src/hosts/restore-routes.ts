/**
 * Restore routes: what a restore would do, and the restore itself, from a place or from the body of the call.
 *
 * Nothing of the volume changes before the backup is whole and verified on the volume's host.
 */
import { Readable } from "node:stream";
import { check, fromBase64, jsonOr, type NodeId, type SecretId, type VolumeName } from "@gam/core";
import {
  bindingVolumes,
  isTerminal,
  restoreRefusal,
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
    const { file: found, text: source, source: store } = await storedAt(name, asked, door);
    return await plan(door, { name, node, source, manifest: await store.manifest(found) });
  });

  /** `{}` for the newest backup, `{"backup":ID}` or `{"from":"host3:/srv/backups/x.tar"}`, and `"host"` for where to. */
  app.post<Ref>("/gam/v1/volumes/:name/restore", async (request) => {
    const asked = await readOwnBody(request.body, storedFields);
    const view = await insist();
    const volume = volumeName(request.params.name);
    const node = hostOf(volume, asked.host, view);
    const { file, text: source, source: store } = await storedAt(volume, asked, door);
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
async function storedAt(name: VolumeName, asked: Asked, door: ClusterDoor): Promise<Stored> {
  const { from, backup, secret: named } = asked;
  if (from === undefined) return await known(name, backup, door);
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

/** A backup that the state has: the one of the id, or the newest whole one. */
async function known(name: VolumeName, id: string | undefined, door: ClusterDoor): Promise<Stored> {
  // An id may be that of another volume's backup: so a copy is made.
  const view = door.view();
  const records = id === undefined ? [view.volume(name)] : view.volumes();
  const list = records.flatMap((record) => record?.Backups?.list ?? []);
  const whole = list.filter(({ end }) => end?.result === "complete");
  const found =
    id === undefined ? whole.at(-1) : whole.find((one) => one.id === id || one.id.startsWith(id));
  const file = found?.end?.file;
  if (found === undefined || file === undefined) {
    const what = id === undefined ? "no whole backup is known" : `no whole backup "${id}" is known`;
    throw new ApiError(
      404,
      `volume ${name}: ${what}. "gam volume backup ls" lists them; --from names another place`,
    );
  }
  const secret: SecretId | undefined = found.secret;
  const source = await door.backups().source({ to: found.to, secret }, found.node);
  return { file, text: `${found.to}/${file}`, source };
}

async function plan(
  door: ClusterDoor,
  about: {
    readonly name: VolumeName;
    readonly node: NodeId;
    readonly source: string;
    readonly manifest: BackupManifest | undefined;
  },
): Promise<RestorePlan> {
  const { name, node, source, manifest } = about;
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
    ...{ manifest: manifest ?? null, exists, presentBytes, freeBytes },
    stops: stopped(view.volume(name), node, view),
    obstacle: restoreRefusal(view, change)?.message ?? blockers[0] ?? full ?? "",
  };
}

function stopped(record: VolumeRecord | undefined, node: NodeId, view: View): readonly string[] {
  if (record === undefined) return [];
  return view
    .tasksOn(node)
    .filter(({ Status }) => !isTerminal(Status.State))
    .filter((task) => bindingVolumes(task, view.service(task.ServiceID)).includes(record.ID))
    .map(volumeUser);
}
