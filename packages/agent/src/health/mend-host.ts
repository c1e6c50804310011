/**
 * Mend host: what "gam doctor --fix" may do on this host. Each act ends nothing, loses nothing, and can be done twice.
 *
 * Finds out again what to do: what the asking host saw may have changed since.
 */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Mend } from "@gam/api";
import { GamError, messageOf, rethrowInvariant, unreachable } from "@gam/core";
import { runCommand } from "@gam/runtime";
import { conntrackFolder } from "./host-facts.ts";

/** An engine with many containers takes long to start. */
const startMs = 60_000;
/** A tracked connection costs some 300 bytes of the kernel's memory. */
const conntrackMax = 4_194_304;
const modules = ["vxlan", "br_netfilter"] as const;

/** Returns: what was done. Errors: GamError REFUSED, with the reason. */
export async function mendHost(mend: Mend): Promise<string> {
  try {
    switch (mend) {
      case "engine":
        await runCommand("systemctl", ["start", "docker"], { limitMs: startMs });
        return "Ran systemctl start docker";
      case "modules":
        for (const name of modules) await runCommand("modprobe", [name]);
        return `Ran modprobe ${modules.join(" ")}`;
      case "conntrack":
        return await widenConntrack();
      default:
        return unreachable(mend);
    }
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (thrown instanceof GamError) throw thrown;
    throw new GamError("REFUSED", messageOf(thrown), { cause: thrown });
  }
}

async function widenConntrack(): Promise<string> {
  const path = join(conntrackFolder, "nf_conntrack_max");
  const before = Number(await readFile(path, "utf8"));
  const after = Math.min(before * 2, conntrackMax);
  if (after <= before) {
    throw new GamError("REFUSED", `Cannot raise ${path}: it is ${before} already`);
  }
  const file = await open(path, "r+");
  try {
    await file.write(`${after}\n`, 0);
  } finally {
    await file.close();
  }
  return `Raised nf_conntrack_max from ${before} to ${after}, until the next boot`;
}
