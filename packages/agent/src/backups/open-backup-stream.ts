/** Open backup stream: asks another host about a backup. */
import type { Duplex } from "node:stream";
import { encode, GamError, type NodeId, rethrowInvariant } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import type { View } from "@gam/state";
import { type BackupQuestion, backupStream } from "./backup-question.ts";

/** Resolves to the stream with the answer. Errors: UNREACHABLE, with the host's name. */
export async function openBackupStream(
  { mesh, view }: { readonly mesh: Pick<Mesh, "stream">; readonly view: () => View },
  to: NodeId,
  question: BackupQuestion,
): Promise<Duplex> {
  try {
    const stream = await mesh.stream(to, backupStream, encode(question));
    // Also between two awaits: the reader or writer gets it then.
    stream.on("error", () => undefined);
    return stream;
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (!(thrown instanceof GamError) || thrown.code !== "UNREACHABLE") throw thrown;
    const host = view().node(to)?.Description.Hostname || to;
    const found = `"${host}" does not answer. "gam doctor" says why`;
    throw new GamError("UNREACHABLE", `Cannot reach the other host of the backup: ${found}`, {
      cause: thrown,
    });
  }
}
