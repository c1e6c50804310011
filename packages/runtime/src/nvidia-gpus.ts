/**
 * NVIDIA GPUs: which GPUs containers of this host can be given.
 *
 * NVIDIA's driver has a folder for each GPU, and NVIDIA's runtime gives them to containers. Without either the host
 * has none for containers.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "@gam/core";
import { readIfThere } from "@gam/files";
import { type GenericResource, gpuKind } from "@gam/state";

const folderDefault = "/proc/driver/nvidia/gpus";
const gpusMax = 256;

/** Returns: the host's GPUs, by UUID, sorted. `runtimes`: those of its engine. */
export async function nvidiaGpus(
  runtimes: readonly string[],
  folder = folderDefault,
): Promise<readonly GenericResource[]> {
  if (!runtimes.some((name) => name.startsWith("nvidia"))) return [];
  const buses = await foldersIn(folder);
  const found = buses.slice(0, gpusMax).map(async (bus) => {
    const text = await readIfThere(join(folder, bus, "information"));
    return /^GPU UUID:\s*(GPU-[0-9a-f-]{8,64})\s*$/im.exec(String(text ?? ""))?.[1] ?? [];
  });
  return (await Promise.all(found))
    .flat()
    .sort()
    .map((Value) => ({ NamedResourceSpec: { Kind: gpuKind, Value } }));
}

/** Returns: nothing without the driver. */
async function foldersIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if (!hasCode(thrown, "ENOENT")) throw thrown;
    return [];
  }
}
