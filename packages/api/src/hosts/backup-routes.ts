/** Backup routes: backups of volumes for the gam command: as a stream, to a place, and the list of them. */
import { createHash } from "node:crypto";
import {
  check,
  messageOf,
  type NodeId,
  rethrowInvariant,
  type SecretId,
  type VolumeName,
} from "@gam/core";
import {
  type Backup,
  backupSchedule,
  backupsKept,
  backupTarget,
  readBackupPlace,
  servicesByName,
  servicesOf,
  type View,
  type VolumeRecord,
  volumeNameForm,
} from "@gam/state";
import type { BackupList, BackupRow, BackupScheduleRow } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { secretNaming } from "../answers/content-answer.ts";
import { hostnameOf, nodeNaming } from "../answers/node-answer.ts";
import type { BackupStream, ClusterDoor } from "../door/door.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { resolve } from "../request/reference.ts";
import type { ContainerContext } from "./container-routes.ts";
import { insistOnMember, onlyHome, volumeCalled } from "./volume-records.ts";

interface Ref {
  readonly Params: { readonly name: string };
}

const text = check.optional(check.string());
const streamFields = { from: text };
const storeFields = { to: text, secret: text, from: text };

/** Trailers of a streamed backup: the manifest of a whole one, or why it is not whole. Base64 of UTF-8. */
const manifestTrailer = "Gam-Manifest";
const errorTrailer = "Gam-Error";

export function backupRoutes(app: FastifyInstance, { door }: ContainerContext): void {
  const insist = async (): Promise<View> => {
    insistOnMember(door);
    requireManager(door);
    await door.fresh();
    return door.view();
  };

  /** `{}`, or `{"from":"host2"}`. The answer is a tar, and has a trailer. */
  app.post<Ref>("/gam/v1/volumes/:name/backup", async (request, reply) => {
    const { from } = await readOwnBody(request.body, streamFields);
    const view = await insist();
    const name = volumeName(request.params.name);
    const node = nodeOf(name, from, { view, door });
    const backup = await door.backups().take(name, node);
    const pieces = backup.tar[Symbol.asyncIterator]();
    // What fails at once is a plain refusal.
    const first = await pieces.next();
    reply.hijack();
    const { raw } = reply;
    raw.once("close", () => backup.tar.destroy());
    raw.writeHead(200, {
      "content-type": "application/x-tar",
      trailer: `${manifestTrailer}, ${errorTrailer}`,
    });
    const trailers = await sent(raw, { backup, first, pieces });
    raw.addTrailers(trailers);
    raw.end();
  });

  /** `{"to":"host3:/srv/backups"}`, with `"secret"` for a bucket; `"from"` for a volume that several hosts have. */
  app.post<Ref>("/gam/v1/volumes/:name/backups", async (request) => {
    const { to: asked, secret: named, from } = await readOwnBody(request.body, storeFields);
    const view = await insist();
    const volume = volumeCalled(request.params.name, view);
    const node =
      from === undefined ? onlyHome(volume, view).ID : resolve(from, view.nodes(), nodeNaming).ID;
    const services = servicesOf(volume, servicesByName(view));
    const service = services.find(({ Spec }) => backupTarget(Spec) !== undefined) ?? services[0];
    const target = service && backupTarget(service.Spec);
    const to = asked ?? target?.to;
    if (to === undefined) {
      const remedy = 'use --to, or the label "gam.backup.to" of its service, or -o for a file';
      throw new ApiError(400, `no place for the backup of volume ${volume.ID}: ${remedy}`);
    }
    const secretName = named ?? (asked === undefined ? target?.secret : undefined);
    const secret = secretFor(to, secretName, view);
    const id = door.mint();
    const backup = {
      ...{ id, node, to, dueMs: Date.now() },
      ...(secret && { secret }),
      ...(service && { service: service.ID }),
    };
    await door.propose([{ kind: "backupVolume", id: volume.ID, backup }]);
    return { backup: id };
  });

  app.get("/gam/v1/backups", async (): Promise<BackupList> => {
    insistOnMember(door);
    await door.fresh();
    return listOf(door.view(), Date.now());
  });
}

/** Errors: ApiError 400. */
export function volumeName(text: string): VolumeName {
  if (volumeNameForm.test(text)) return text as VolumeName;
  throw new ApiError(400, `"${text}" is no name of a volume`);
}

/** The host whose volume is meant: as asked, else the only home, else this host. */
export function nodeOf(
  name: VolumeName,
  host: string | undefined,
  facts: { readonly view: View; readonly door: ClusterDoor; readonly option?: string },
): NodeId {
  const { view, door, option = "--from" } = facts;
  if (host !== undefined) return resolve(host, view.nodes(), nodeNaming).ID;
  const record = view.volume(name);
  if (record === undefined || record.Homes.length === 0) return door.self;
  return onlyHome(record, view, option).ID;
}

/** Errors: ApiError 400 for a place that is none, or for a bucket without a secret; 404 for an unknown one. */
export function secretFor(to: string, named: string | undefined, view: View): SecretId | undefined {
  const place = readBackupPlace(to);
  if (place === undefined) {
    throw new ApiError(400, `"${to}" is no place: use /folder, host:/folder or s3://bucket/folder`);
  }
  if (place.kind === "folder") {
    if (named === undefined) return undefined;
    throw new ApiError(400, `a secret has no effect on "${to}": only buckets need one`);
  }
  if (named !== undefined) return resolve(named, view.secrets(), secretNaming).ID;
  throw new ApiError(400, `"${to}" is a bucket: name the secret with its credentials (--secret)`);
}

/** Resolves to the trailers, when the tar has been sent or has failed. */
async function sent(
  raw: NodeJS.WritableStream & { readonly destroyed: boolean },
  {
    backup,
    first,
    pieces,
  }: {
    readonly backup: BackupStream;
    readonly first: IteratorResult<Buffer>;
    readonly pieces: AsyncIterator<Buffer>;
  },
): Promise<Record<string, string>> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for (let next = first; !next.done; next = await pieces.next()) {
      hash.update(next.value);
      bytes += next.value.length;
      if (!raw.write(next.value)) await drained(raw);
    }
    const manifest = backup.manifest({ bytes, sha256: hash.digest("hex") });
    return { [manifestTrailer]: inBase64(JSON.stringify(manifest)) };
  } catch (thrown) {
    rethrowInvariant(thrown);
    backup.tar.destroy();
    return { [errorTrailer]: inBase64(messageOf(thrown)) };
  }
}

function drained(raw: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    const left = (): void => reject(new Error("the client has left"));
    raw.once("close", left);
    raw.once("drain", () => {
      raw.off("close", left);
      resolve();
    });
  });
}

function inBase64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function listOf(view: View, nowMs: number): BackupList {
  const services = servicesByName(view);
  const schedules: BackupScheduleRow[] = [];
  for (const volume of view.volumes()) {
    for (const { Spec } of servicesOf(volume, services)) {
      const schedule = backupSchedule(Spec);
      if (schedule === undefined) continue;
      schedules.push({
        ...{ volume: volume.ID, service: Spec.Name, schedule: schedule.key },
        ...{ to: backupTarget(Spec)?.to ?? "", keep: backupsKept(Spec) },
        nextMs: schedule.time.next(Math.max(nowMs, volume.Backups?.handledMs ?? 0)) ?? null,
      });
      break;
    }
  }
  const rows = view.volumes().flatMap((volume) => {
    return (volume.Backups?.list ?? []).map((backup) => rowOf(volume, backup, view));
  });
  const missed = view.volumes().flatMap(({ ID, Backups }) => {
    return (Backups?.missed ?? []).map((miss) => ({ volume: ID, ...miss }));
  });
  return { schedules, backups: rows.sort((a, b) => a.dueMs - b.dueMs), missed };
}

function rowOf({ ID }: VolumeRecord, backup: Backup, view: View): BackupRow {
  const { id, to, by, dueMs, end } = backup;
  const node = view.node(backup.node);
  const present = node?.Status.State === "ready" ? "running" : "waiting";
  return {
    ...{ id, volume: ID, host: node === undefined ? backup.node : hostnameOf(node) },
    ...{ to, by, dueMs, state: end?.result ?? present, reason: end?.reason ?? "" },
    ...{ endedMs: end?.atMs ?? null, file: end?.file ?? "" },
    ...{ bytes: end?.bytes ?? 0, sha256: end?.digest ?? "" },
  };
}
