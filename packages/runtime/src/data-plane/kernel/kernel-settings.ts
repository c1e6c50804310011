/**
 * Kernel settings: sets what gam's devices need under /proc/sys/net, and nothing else there.
 *
 * A reply may leave a container by another interface than the request came in by, so gam's devices use the loose
 * check of source addresses (rp_filter 2). The host itself reaches a published port with a loopback source, so
 * bridges route loopback addresses (route_localnet).
 */
import { access, readFile, writeFile } from "node:fs/promises";
import { hasCode } from "@gam/core";
import { CommandFailed, type Run } from "./command.ts";

const root = "/proc/sys/net";
const bridgeFilter = `${root}/bridge/bridge-nf-call-iptables`;

/** Returns: what differed, for people. Errors: those of /proc. */
export async function applySettings(device: string, kind: "bridge" | "tunnel"): Promise<string[]> {
  const wanted = { rp_filter: "2", ...(kind === "bridge" && { route_localnet: "1" }) };
  const found: string[] = [];
  for (const [setting, value] of Object.entries(wanted)) {
    const path = `${root}/ipv4/conf/${device}/${setting}`;
    const now = await settingAt(path);
    if (now === undefined || now === value || !(await setAt(path, value))) continue;
    found.push(`${device}: ${setting} ${now}`);
  }
  return found;
}

/** Turns on IP forwarding, for packets between networks and to published ports. The engine needs the same. */
export async function allowForwarding(): Promise<string[]> {
  const path = `${root}/ipv4/ip_forward`;
  if ((await settingAt(path)) !== "0") return [];
  await writeFile(path, "1");
  return ["ip_forward 0"];
}

/**
 * Makes the kernel offer its packet filter to bridges; each bridge then turns it on for itself.
 *
 * Loading the module turns the filter on for every bridge of the host, also for bridges that are not gam's. So
 * this turns it off again for all. Returns: whether the kernel offers it.
 */
export async function offerBridgeFilter(run: Run): Promise<boolean> {
  if (await isThere(bridgeFilter)) return true;
  try {
    await run("modprobe", ["br_netfilter"]);
  } catch (thrown) {
    if (!(thrown instanceof CommandFailed)) throw thrown;
  }
  if (!(await isThere(bridgeFilter))) return false;
  for (const kind of ["ip", "ip6", "arp"]) {
    await writeFile(`${root}/bridge/bridge-nf-call-${kind}tables`, "0");
  }
  return true;
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** `undefined`: there is no such setting, because the device has gone. */
async function settingAt(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
}

/** Returns: false if there is no such setting any more, because the device has gone since it was read. */
async function setAt(path: string, value: string): Promise<boolean> {
  try {
    await writeFile(path, value);
    return true;
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return false;
    throw thrown;
  }
}
