/** What processes use, as the kernel counts it. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type Host, LabError } from "../lab/clusters/lab.ts";

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

/** User and system time of these processes together, since their start. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may have spaces. User and system time are fields 14 and 15 of proc(5).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  });
}

/** Resident memory of these processes together. */
export function residentMiB(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    const kib = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+)/m)?.[1];
    return Number(kib ?? 0) / 1024;
  });
}

/** Processor time of this process while the work runs, including garbage collection. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The PID of a host's agent. Errors: LabError when it has ended. */
export function agentOf(host: Host): number[] {
  const pid = host.agentPid;
  if (pid === undefined) throw new LabError(`Cannot measure agent of ${host.name}: it has ended`);
  return [pid];
}

/** The PIDs of a host's engine: dockerd with its containerd. */
export function engineOf(host: Host): number[] {
  const names = ["dockerd", "containerd"];
  return host
    .pids()
    .filter((pid) => names.includes(readFileSync(`/proc/${pid}/comm`, "utf8").trim()));
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((all, pid) => all + of(pid), 0);
}
