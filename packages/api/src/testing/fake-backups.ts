/** Fake backups: volumes and backups as texts in memory. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { GamError } from "@gam/core";
import type { BackupManifest } from "@gam/state/answers";
import type { BackupDoor } from "../door/door.ts";

export class FakeBackups implements BackupDoor {
  /** By volume, on whichever node. */
  readonly volumes = new Map<string, string>();
  /** By place and file. */
  readonly stored = new Map<string, string>();
  /** Every restore, and its volume's new text. */
  readonly restored: { readonly volume: string; readonly node: string; readonly tar: string }[] =
    [];
  blockers: readonly string[] = [];
  /** If set, a backup breaks with it after its first half. */
  failure: GamError | undefined;

  static manifest(volume: string, tar: string): BackupManifest {
    const sha256 = createHash("sha256").update(tar).digest("hex");
    const madeAt = "2026-01-02T03:04:05.000Z";
    const bytes = Buffer.byteLength(tar);
    return { format: 1, volume, host: "host1", madeAt, bytes, sha256, labels: {}, notes: [] };
  }

  take: BackupDoor["take"] = async (volume) => {
    const found = this.volumes.get(volume);
    if (found === undefined) throw new GamError("NOT_FOUND", `there is no volume ${volume}`);
    const { failure } = this;
    const pieces = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from(found.slice(0, found.length / 2));
      if (failure !== undefined) throw failure;
      yield Buffer.from(found.slice(found.length / 2));
    };
    return { tar: Readable.from(pieces()), manifest: () => FakeBackups.manifest(volume, found) };
  };

  source: BackupDoor["source"] = async ({ to }) => {
    const find = (file: string): string => {
      const found = this.stored.get(`${to}/${file}`);
      if (found === undefined) throw new GamError("NOT_FOUND", `there is no ${to}/${file}`);
      return found;
    };
    return {
      manifest: async (file) => FakeBackups.manifest("data", find(file)),
      read: async (file) => Readable.from([Buffer.from(find(file))]),
    };
  };

  look: BackupDoor["look"] = async (volume) => ({
    exists: this.volumes.has(volume),
    presentBytes: 10,
    freeBytes: 1000,
    blockers: this.blockers,
  });

  restore: BackupDoor["restore"] = async ({ volume, node, tar }) => {
    this.restored.push({ volume, node, tar: await text(tar) });
    return "restore1";
  };
}
