/**
 * Process holder: which process has a file open or listens on a port, for messages about what is taken.
 *
 * From /proc, so it finds nothing in other PID namespaces, and without root only the user's own processes. It reads
 * every process, so call it only for an error.
 */
import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { rethrowInvariant } from "@gam/core";

export interface Holder {
  readonly pid: number;
  /** Of the program. */
  readonly name: string;
  /** The unit of systemd that runs it; "" where there is none. */
  readonly unit: string;
  /** A gam command has started it in the background. */
  readonly isBackground: boolean;
}

/** Set by a gam command for an agent that it starts. */
export const backgroundVariable = "GAM_BACKGROUND";

/** Returns: a process, other than this one, that has the file open. */
export async function holderOfFile(path: string): Promise<Holder | undefined> {
  return await holderOf((target) => target === path);
}

/** Returns: the process that listens on the TCP port. */
export async function holderOfPort(port: number): Promise<Holder | undefined> {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => textOf(`/proc/net/${name}`)));
  const inodes = new Set(tables.flatMap((table) => listeners(table, port)));
  if (inodes.size === 0) return undefined;
  return await holderOf((target) => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? ""));
}

/** Returns: `process 123 (dockerd, of systemd's docker.service)`. */
export function holderText({ pid, name, unit, isBackground }: Holder): string {
  const origin =
    unit !== ""
      ? `, of systemd's ${unit}`
      : isBackground
        ? ", started in the background by a gam command"
        : "";
  return `process ${pid} (${name}${origin})`;
}

/** Source: proc_net_tcp.txt of the kernel: local address as HEX:PORT, state 0A for LISTEN, the tenth field the inode. */
function listeners(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const isIt = fields[1]?.endsWith(`:${hex}`) === true && fields[3] === "0A";
    return isIt && fields[9] !== undefined ? [fields[9]] : [];
  });
}

async function holderOf(holds: (target: string) => boolean): Promise<Holder | undefined> {
  for (const entry of await namesIn("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const folder = `/proc/${entry}/fd`;
    for (const fd of await namesIn(folder)) {
      if (holds(await linkOf(`${folder}/${fd}`))) return await describe(pid);
    }
  }
  return undefined;
}

async function describe(pid: number): Promise<Holder> {
  const [command, cgroup, environment] = await Promise.all(
    ["cmdline", "cgroup", "environ"].map((name) => textOf(`/proc/${pid}/${name}`)),
  );
  const [program = "", script = ""] = (command ?? "").split("\0");
  const isAgent = /agent/.test(basename(script)) || script === "agent";
  return {
    pid,
    name: isAgent ? "gam agent" : basename(program) || "unknown",
    unit: /\/([^/\s]+\.service)\b/.exec(cgroup ?? "")?.[1] ?? "",
    isBackground: (environment ?? "").split("\0").includes(`${backgroundVariable}=1`),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    rethrowInvariant(thrown);
    return [];
  }
}

async function linkOf(path: string): Promise<string> {
  try {
    return await readlink(path);
  } catch (thrown) {
    rethrowInvariant(thrown);
    return "";
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    rethrowInvariant(thrown);
    return "";
  }
}
