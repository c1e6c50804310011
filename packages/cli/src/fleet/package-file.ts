/** Package file: a package of gam that the user names, with its sum checked. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { GamError, rethrowInvariant } from "@gam/core";
import { packageForm } from "@gam/state/answers";
import type { CommandIo } from "../agent/command-io.ts";
import { fileReason, readIfThere } from "../agent/input-file.ts";

export interface PackageFile {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  /** Folder of the file, where install.sh and SHA256SUMS may be. */
  readonly folder: string;
}

/**
 * Returns: the file, whose sum is the given one, or the one in SHA256SUMS beside it.
 *
 * Errors: BAD_REQUEST, with the file as the user wrote it.
 */
export async function packageFile(
  { cwd }: Pick<CommandIo, "cwd">,
  file: string,
  given: string | undefined,
): Promise<PackageFile> {
  const path = resolve(cwd, file);
  const [name, folder] = [basename(path), dirname(path)];
  const refuse = (reason: string, cause?: unknown): never => {
    throw new GamError("BAD_REQUEST", `Cannot use ${file}: ${reason}`, { cause });
  };
  if (packageForm(name) === undefined) {
    refuse("packages are named gam_VERSION_MACHINE.deb or gam-VERSION-linux-MACHINE.tar.gz");
  }
  let found = "";
  try {
    const sum = createHash("sha256");
    for await (const piece of createReadStream(path)) sum.update(piece as Buffer);
    found = sum.digest("hex");
  } catch (thrown) {
    rethrowInvariant(thrown);
    refuse(fileReason(thrown), thrown);
  }
  const wanted = given ?? sumIn(readIfThere(resolve(folder, "SHA256SUMS")), name);
  if (wanted === undefined) {
    refuse("there is no sum to check it with. Give --sha256 SUM, or put SHA256SUMS beside it");
  }
  if (wanted !== found) refuse(`its sha256 is ${found}, and ${wanted} was expected`);
  return { name, path, sha256: found, folder };
}

function sumIn(sums: Uint8Array | undefined, name: string): string | undefined {
  const lines = Buffer.from(sums ?? [])
    .toString()
    .split("\n");
  const rows = lines.flatMap((line) => /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? []);
  const at = rows.indexOf(name);
  return at < 0 ? undefined : rows[at - 1];
}
