/**
 * Idle: what an agent costs in a mesh of five in which nothing happens.
 *
 *   node test/bench/idle.ts [--seconds 30] [--settle 20] [--lab 53] [--check]
 *
 * Memory is the resident size of the process; CPU is its user and system time over the seconds, as the
 * kernel counts them.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Host, Lab, LabError } from "../lab/lab.ts";
import { LabMesh } from "../lab/lab-mesh.ts";
import { print } from "./figures.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    settle: { type: "string", default: "20" },
    lab: { type: "string", default: "53" },
    check: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

const lab = await Lab.up({ hosts: 5, number: Number(values.lab), agents: true });
try {
  const mesh = await LabMesh.form(lab);
  await pause(Number(values.settle) * 1000);
  const leader = await mesh.leader(lab.host(1));
  const followers = lab.hosts.filter(({ number }) => number !== leader);
  const before = new Map(lab.hosts.map((host) => [host, cpuSeconds(host)]));
  const beganMs = performance.now();
  await pause(seconds * 1000);
  const lastedS = (performance.now() - beganMs) / 1000;
  const share = (host: Host): number =>
    ((cpuSeconds(host) - (before.get(host) ?? 0)) / lastedS) * 100;
  print("memory of an idle agent", lab.hosts.map(residentMiB), "MiB", { most: 130 });
  print("CPU of an idle follower", followers.map(share), "% of a core", { most: 1.5 });
  print("CPU of an idle leader", [share(lab.host(leader))], "% of a core", { most: 1.5 });
} finally {
  await lab.down();
}

function cpuSeconds(host: Host): number {
  const stat = readFileSync(`/proc/${pidOf(host)}/stat`, "utf8");
  // The name, in brackets, may hold spaces. User and system time are fields 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function residentMiB(host: Host): number {
  const kib = readFileSync(`/proc/${pidOf(host)}/status`, "utf8").match(/^VmRSS:\s+(\d+)/m)?.[1];
  return Number(kib) / 1024;
}

function pidOf(host: Host): number {
  const pid = host.agentPid;
  if (pid === undefined) throw new LabError(`Cannot measure agent of ${host.name}: it has ended`);
  return pid;
}
