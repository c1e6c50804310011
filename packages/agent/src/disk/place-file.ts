/**
 * Place file: the addresses at which a member listens and that it advertises, kept in the data directory for the
 * next start of the agent.
 */
import { join } from "node:path";
import { check, GamError, messageOf, rethrowInvariant } from "@gam/core";
import { readIfThere, removeFile, replaceFile } from "@gam/files";
import { insistOnVersion } from "@gam/mesh";
import { diskFailed } from "./disk-failed.ts";

export interface MeshAddresses {
  readonly listen: { readonly host: string; readonly port: number };
  readonly advertise: string | undefined;
}

const fileName = "place.json";
const version = 1;
const name = check.string(1024);
const checkPlace = check.object({
  listen: check.object({ host: name, port: check.integer(0, 65_535) }),
  advertise: check.optional(name),
});

/** Errors: DISK_FAILED. */
export async function keepPlace(dataDir: string, place: MeshAddresses): Promise<void> {
  try {
    await replaceFile(join(dataDir, fileName), JSON.stringify({ version, ...place }));
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw diskFailed(dataDir, thrown);
  }
}

/**
 * Returns: undefined without a file. Errors: CORRUPT_FILE and NOT_SUPPORTED, with what to do; those of the
 * disk.
 */
export async function keptPlace(dataDir: string): Promise<MeshAddresses | undefined> {
  const path = join(dataDir, fileName);
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(text.toString());
    insistOnVersion(content, path, version);
    const { listen, advertise } = checkPlace(content, "place");
    return { listen, advertise };
  } catch (thrown) {
    if (!(thrown instanceof GamError || thrown instanceof SyntaxError)) throw thrown;
    if (thrown instanceof GamError && thrown.code === "NOT_SUPPORTED") throw thrown;
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot read "${path}": ${messageOf(thrown)}. Remove it, and the agent takes its addresses from its options`,
      { cause: thrown },
    );
  }
}

export async function removePlace(dataDir: string): Promise<void> {
  await removeFile(join(dataDir, fileName));
}
