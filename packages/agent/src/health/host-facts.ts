/**
 * Host facts: what this host has now: its engine, disks, memory and connections, from the kernel and the engine itself.
 *
 * Judges nothing: the API's doctor does. Each look is bounded in time, also where a disk or an engine hangs.
 */
import { type FileHandle, open, readFile, rm, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { HostFacts } from "@gam/api";
import { check, reasonOf, rethrowInvariant } from "@gam/core";
import { lookAtEngine, runCommand } from "@gam/runtime";

/** Longer than a loaded disk takes for one small file. */
const writeMs = 4_000;
export const conntrackFolder = "/proc/sys/net/netfilter";

export interface HostPlaces {
  readonly version: string;
  readonly dataDir: string;
  /** Path of the engine's socket. */
  readonly engine: string;
  /** The IP address at which other hosts reach this one; "" where it is not known. */
  readonly address: string;
}

export class HostLook {
  /** A write that a disk has not ended yet: no other one is begun, because each holds a thread. */
  #writing: Promise<string> | undefined;

  async facts({ version, dataDir, engine: socket, address }: HostPlaces): Promise<HostFacts> {
    const [{ root, ...engine }, failure] = await Promise.all([
      lookAtEngine(socket),
      this.#tryToWrite(dataDir),
    ]);
    const [memory, conntrack, line, own, engines] = await Promise.all([
      memoryNow(),
      conntrackNow(),
      lineNow(address),
      failure === "" ? spaceOf(dataDir) : undefined,
      root === "" ? undefined : spaceOf(root),
    ]);
    const nothing = { freeBytes: 0, totalBytes: 0 };
    const disks = [
      { path: dataDir, failure, ...(own ?? nothing) },
      // A second path of the same disk would be the same finding again.
      ...(engines === undefined || engines.totalBytes === own?.totalBytes
        ? []
        : [{ path: root, failure: "", ...engines }]),
    ];
    return { hostname: hostname(), version, engine, disks, memory, conntrack, line };
  }

  /** Returns: why the disk takes no small file; "" where it does. */
  async #tryToWrite(dataDir: string): Promise<string> {
    this.#writing ??= writeAndSync(join(dataDir, "doctor.tmp")).finally(() => {
      this.#writing = undefined;
    });
    const late = `a small file was not on the disk after ${writeMs / 1000} s`;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(late), writeMs);
    });
    const found = await Promise.race([this.#writing, timeout]);
    clearTimeout(timer);
    return found;
  }
}

async function writeAndSync(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "w", 0o600);
    await file.write("gam doctor\n");
    await file.datasync();
    await rm(path, { force: true });
    return "";
  } catch (thrown) {
    rethrowInvariant(thrown);
    return reasonOf(thrown);
  } finally {
    await file?.close();
  }
}

async function spaceOf(
  path: string,
): Promise<{ freeBytes: number; totalBytes: number } | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined;
  }
}

/** Source: proc(5), /proc/meminfo. */
async function memoryNow(): Promise<HostFacts["memory"]> {
  const text = await textOf("/proc/meminfo");
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return { availableBytes: bytes("MemAvailable"), totalBytes: bytes("MemTotal") };
}

async function conntrackNow(): Promise<HostFacts["conntrack"]> {
  const [used, max] = await Promise.all(
    ["count", "max"].map((name) => textOf(`${conntrackFolder}/nf_conntrack_${name}`)),
  );
  return { used: Number(used) || 0, max: Number(max) || 0 };
}

const checkDevices = check.list(
  check.object({
    flags: check.list(check.string(64), 64),
    addr_info: check.list(check.object({ local: check.optional(check.string(64)) }), 65_536),
  }),
  65_536,
);

/** Not from /sys: in a container it may show the devices of the machine. Node lists no devices without a link. */
async function lineNow(address: string): Promise<HostFacts["line"]> {
  if (address === "") return "unknown";
  let devices: check.Checked<typeof checkDevices>;
  try {
    devices = checkDevices(JSON.parse(await runCommand("ip", ["-json", "address"])), "addresses");
  } catch (thrown) {
    rethrowInvariant(thrown);
    return "unknown";
  }
  const device = devices.find((one) => one.addr_info.some(({ local }) => local === address));
  if (device === undefined || device.flags.includes("LOOPBACK")) return "unknown";
  return device.flags.includes("LOWER_UP") ? "up" : "down";
}

/** Returns: the text of a file of the kernel; "" where there is none. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    rethrowInvariant(thrown);
    return "";
  }
}
