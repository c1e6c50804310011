/**
 * Doctor, on real hosts: each incident is made, the first finding must name its cause, and doing what the remedy says
 * must mend it. One lab for all, because most of the time would go into starting labs.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  checkDoctorReport,
  checkStatus,
  type DoctorFinding,
  type DoctorReport,
} from "@gam/state/answers";
import { type Host, Lab, LabError, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { engineCall } from "../hosts/engine-call.ts";

const programs = { "mkfs.ext4": "e2fsprogs", fsfreeze: "util-linux", pkill: "procps" };
const noLoop = existsSync("/dev/loop-control") ? undefined : "it needs loop devices";
const skip = labUnavailable(programs) ?? noLoop ?? false;
const number = 18;
const patienceMs = 60_000;
const checkout = fileURLToPath(new URL("../../..", import.meta.url));
const dataDir = "/var/lib/gam";

interface Incident {
  readonly name: string;
  /** The host that is asked; host1 if absent. */
  readonly at?: number;
  readonly make: () => Promise<unknown>;
  /** Of the first finding. */
  readonly cause: RegExp;
  /** A part of the first finding's remedy, which `mend` then does. */
  readonly remedy: RegExp;
  readonly mend: () => Promise<unknown>;
}

describe("the doctor of three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;

  const host = (which: number): Host => lab.host(which);
  const ask = async (which: number): Promise<DoctorReport> => {
    const path = "/gam/v1/doctor";
    const { status, text } = await engineCall(host(which).agentSocket, { path });
    if (status !== 200) throw new LabError(`Cannot ask the doctor: ${status} ${text}`);
    return checkDoctorReport(JSON.parse(text), "report");
  };
  const run = async (which: number, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await host(which).exec(words);
    assert.equal(code, 0, `${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  const docker = async (which: number, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await host(which).docker(words);
    assert.equal(code, 0, `docker ${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  const sh = (which: number, script: string): Promise<string> => run(which, "sh", "-c", script);
  const restart = async (
    which: number,
    options: Parameters<Host["startAgent"]>[0] = {},
  ): Promise<void> => {
    await host(which).killAgent("SIGTERM");
    await host(which).startAgent(options);
  };
  const signalAgent = (which: number, signal: NodeJS.Signals): void => {
    const pid = host(which).agentPid;
    assert.ok(pid !== undefined);
    process.kill(pid, signal);
  };
  /** A file of the kernel that says something else, until unsay(). */
  const say = async (which: number, path: string, text: string): Promise<void> => {
    const fake = `/run/fake${path.replaceAll("/", "-")}`;
    writeFileSync(host(which).path(fake), text);
    await run(which, "mount", "--bind", fake, path);
  };
  const unsay = (which: number, path: string): Promise<string> => run(which, "umount", path);
  const conntrack = (name: string): string => `/proc/sys/net/netfilter/nf_conntrack_${name}`;
  const firewall = (which: number, order: "-I" | "-D", ...rule: string[]): Promise<string> =>
    run(which, "iptables", order, ...rule, "-j", "DROP");
  /** Host1's meshes with host2 pass only from here to host2 and back; others stay. */
  const meshRules = (): string[][] =>
    [
      ["INPUT", "-s"],
      ["OUTPUT", "-d"],
    ].flatMap(([chain = "", end = ""]) =>
      ["--sport", "--dport"].map((port) => [
        ...[chain, end, host(1).address, "-p", "tcp", port, "7946"],
      ]),
    );

  /** With ingress, which takes half of them, more than nine tenths of all subnets. */
  const eachOfMany = async (act: (name: string) => Promise<unknown>): Promise<void> => {
    for (let at = 1; at <= 13; at += 1) await act(`many${at}`);
  };
  const many = { Driver: "overlay", CheckDuplicate: true };

  const incidents: readonly Incident[] = [
    {
      name: "a host that is off",
      make: () => host(2).kill(),
      cause: /^host2: It does not answer: it is off, or the network to it is cut$/,
      remedy: /^Start host2/,
      mend: () => mesh.powerOn(host(2)),
    },
    {
      name: "a host whose agent does not run",
      make: () => host(3).killAgent("SIGTERM"),
      cause: /^host3: The host is on, and its agent does not run$/,
      remedy: /"systemctl start gam" on host3/,
      mend: () => host(3).startAgent(),
    },
    {
      name: "an agent that hangs",
      make: async () => signalAgent(3, "SIGSTOP"),
      cause: /^host3: Its agent takes connections and does not answer/,
      remedy: /"systemctl restart gam" on host3/,
      mend: async () => {
        await host(3).killAgent("SIGKILL");
        await host(3).startAgent();
      },
    },
    {
      name: "two of three voters that are silent",
      at: 3,
      make: async () => {
        await host(1).kill();
        await host(2).killAgent("SIGKILL");
      },
      cause: /^2 of 3 voters are silent: host1, host2\. Nothing is scheduled, what runs goes on$/,
      remedy: /^Start host1, or repair .*"systemctl start gam" on host2; 1 of them is enough/,
      mend: async () => {
        await mesh.powerOn(host(1));
        await host(2).startAgent();
      },
    },
    {
      name: "a host that is cut off, asked there",
      at: 3,
      make: () => host(3).cut(),
      cause: /^host3: Its device to the other hosts has no link$/,
      remedy: /the cable or the virtual network of host3/,
      mend: () => host(3).heal(),
    },
    {
      name: "an engine that does not run",
      make: () => host(2).killEngine("SIGKILL"),
      cause: /^host2: Its engine does not run: /,
      remedy: /"systemctl start docker" on host2/,
      mend: () => host(2).startEngine(),
    },
    {
      name: "an engine that hangs",
      make: () => run(2, "pkill", "-STOP", "-x", "dockerd"),
      cause: /^host2: Its engine takes calls and does not answer them: no answer within 5 s$/,
      remedy: /"systemctl restart docker" on host2/,
      mend: async () => {
        await host(2).killEngine("SIGKILL");
        await host(2).startEngine();
      },
    },
    {
      name: "an engine that is too old",
      make: async () => {
        const program = fileURLToPath(new URL("./old-engine.ts", import.meta.url));
        await host(2).spawn("old-engine", ["node", program, "/run/old.sock", "/run/docker.sock"]);
        await restart(2, { env: { GAM_ENGINE: "/run/old.sock" } });
      },
      cause: /^host2: Its engine is version 19\.03\.15, gam needs 20\.10 or newer$/,
      remedy: /^Install Docker 20\.10 or newer on host2$/,
      mend: () => restart(2),
    },
    {
      name: "an engine in Swarm mode",
      make: async () => {
        // On the loopback, since the agent has the port of the mesh.
        const words = ["swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr"];
        const made = await host(3).docker([...words, "127.0.0.1:2377"], { engine: true });
        assert.equal(made.code, 0, made.stderr);
      },
      cause: /^host3: Its engine is in Docker Swarm mode, which uses the ports that gam needs$/,
      remedy: /swarm leave --force" on host3/,
      mend: () => host(3).docker(["swarm", "leave", "--force"], { engine: true }),
    },
    {
      name: "a clock that is two days ahead",
      make: () => {
        const module = new URL("./clock-ahead.ts", import.meta.url).href;
        return restart(2, { env: { NODE_OPTIONS: `--import ${module}` } });
      },
      cause: /^host2: Its clock is 2 days ahead$/,
      remedy: /^Set the clock of host2, and run a time service there/,
      mend: () => restart(2),
    },
    {
      name: "a disk that takes no writes, and the log that waits for it",
      make: async () => {
        await run(3, "fsfreeze", "--freeze", dataDir);
        await docker(1, "network", "create", "--driver", "overlay", "written");
      },
      cause: /^host3: Nothing can be written to \/var\/lib\/gam: a small file was not on the disk/,
      remedy: /^Look at the disk of \/var\/lib\/gam on host3/,
      mend: async () => {
        await run(3, "fsfreeze", "--unfreeze", dataDir);
        await docker(1, "network", "rm", "written");
      },
    },
    {
      name: "a disk that is nearly full",
      make: () => {
        // Some MiB stay free, for the agent's journal.
        const free = `$(df --output=avail -k ${dataDir} | tail -n 1)`;
        return sh(3, `head -c $(( (${free} - 6000) * 1024 )) /dev/zero >${dataDir}/filler`);
      },
      cause: /^host3: The disk of \/var\/lib\/gam has [\d.]+ MiB left of /,
      remedy: /^Free space on host3/,
      mend: () => run(3, "rm", `${dataDir}/filler`),
    },
    {
      name: "little memory",
      make: () =>
        say(2, "/proc/meminfo", "MemTotal:  8000000 kB\nMemFree: 9 kB\nMemAvailable: 90000 kB\n"),
      cause: /^host2: It has 87\.9 MiB of memory left of 7\.6 GiB$/,
      remedy: /"gam drain host2"/,
      mend: () => unsay(2, "/proc/meminfo"),
    },
    {
      name: "a connection table that is nearly full",
      make: async () => {
        await say(2, conntrack("count"), "60000\n");
        await say(2, conntrack("max"), "65536\n");
      },
      cause: /^host2: Its kernel tracks 60000 connections and may track 65536/,
      remedy: /^Run "sysctl net\.netfilter\.nf_conntrack_max=131072" on host2/,
      mend: async () => {
        // As the last line of "gam doctor" says.
        const { code, stdout } = await host(1).gam(["doctor", "--fix"]);
        assert.match(
          stdout,
          /^host2: Raised nf_conntrack_max from 65536 to 131072, until the next boot$/m,
        );
        assert.match(stdout, /^Nothing is wrong$/m);
        assert.equal(code, 0);
        await unsay(2, conntrack("max"));
        await unsay(2, conntrack("count"));
      },
    },
    {
      name: "a closed port of networks",
      make: () => firewall(2, "-I", "INPUT", "-p", "udp", "--dport", "4789"),
      cause: /^Packets .* do not arrive/,
      remedy: /^Open 4789\/udp on host2, both ways/,
      mend: () => firewall(2, "-D", "INPUT", "-p", "udp", "--dport", "4789"),
    },
    {
      name: "a path for short packets only",
      make: () =>
        firewall(
          ...([2, "-I", "INPUT", "-p", "udp", "--dport", "4789"] as const),
          ...["-m", "length", "--length", "1300:65535"],
        ),
      cause: /^Short packets arrive .*, those of \d+ bytes do not \(host/,
      remedy: /^Let the network on host2 carry packets of the devices' MTU/,
      mend: () =>
        firewall(
          ...([2, "-D", "INPUT", "-p", "udp", "--dport", "4789"] as const),
          ...["-m", "length", "--length", "1300:65535"],
        ),
    },
    {
      name: "a pair of agents that do not reach each other",
      make: async () => {
        for (const rule of meshRules()) await firewall(2, "-I", ...rule);
      },
      cause: /^host3 is connected to host2, host1 is not$/,
      remedy: /^Open 7946\/tcp between host1 and host2, both ways$/,
      mend: async () => {
        for (const rule of meshRules()) await firewall(2, "-D", ...rule);
      },
    },
    {
      name: "two hosts of one name",
      make: () => run(3, "hostname", "host2"),
      cause: /^2 hosts are called host2: /,
      remedy: /^Give all but one of them another name/,
      mend: () => run(3, "hostname", "host3"),
    },
    {
      name: "a host without a name",
      make: () => sh(3, "echo > /proc/sys/kernel/hostname"),
      cause: /^The host with the address 10\.88\.\d+\.3 \(\w+\) has no hostname$/,
      remedy: /^Run "hostnamectl set-hostname NAME" there$/,
      mend: () => run(3, "hostname", "host3"),
    },
    {
      name: "a network whose subnet is also a route of a host",
      make: async () => {
        await docker(1, "network", "create", "-d", "overlay", "--subnet", "10.210.0.0/24", "lan");
        await run(3, "ip", "route", "add", "10.210.0.0/16", "via", host(1).address);
        await restart(3);
      },
      cause:
        /^Subnet 10\.210\.0\.0\/24 of network "lan" overlaps with route 10\.210\.0\.0\/16 of host3$/,
      remedy: /"ip route del 10\.210\.0\.0\/16" on host3/,
      mend: async () => {
        await run(3, "ip", "route", "del", "10.210.0.0/16");
        await restart(3);
        await docker(1, "network", "rm", "lan");
      },
    },
    {
      name: "an address pool that is used up",
      make: () =>
        eachOfMany((Name) => mesh.call(host(1), "POST", "/networks/create", { Name, ...many })),
      cause: /^Only 3 of 32 subnets are left for new networks$/,
      remedy: /^Remove unused networks/,
      mend: () => eachOfMany((name) => mesh.call(host(1), "DELETE", `/networks/${name}`)),
    },
    {
      name: "a network whose addresses are used up",
      make: async () => {
        await docker(1, "network", "create", "-d", "overlay", "--subnet", "10.211.0.0/29", "tiny");
        const words = ["service", "create", "-d", "--name", "crowd", "--network", "tiny"];
        await docker(1, ...words, "--replicas", "4", "gam/test:1");
      },
      cause: /^\d of \d addresses of network "tiny" \(10\.211\.0\.0\/29\) are in use$/,
      remedy: /^Scale its services down/,
      mend: async () => {
        await docker(1, "service", "rm", "crowd");
        await mesh.until("the network can be removed", patienceMs, async () => {
          return (await host(1).docker(["network", "rm", "tiny"])).code === 0;
        });
      },
    },
    {
      name: "different versions",
      make: () => {
        const folder = join(lab.host(2).folder, "home/old");
        mkdirSync(join(folder, "dist"), { recursive: true });
        cpSync(join(checkout, "dist/agent.mjs"), join(folder, "dist/agent.mjs"));
        writeFileSync(join(folder, "package.json"), JSON.stringify({ version: "0.0.9" }));
        return restart(2, { bundle: join(folder, "dist/agent.mjs") });
      },
      cause:
        /^Hosts run different versions of gam: 0\.\d+\.\d+ on host1 and host3; 0\.0\.9 on host2$/,
      remedy: /^Run "gam upgrade --to FILE" with a package of 0\.\S+: it upgrades host2/,
      mend: () => restart(2),
    },
    {
      name: "a locked manager",
      make: async () => {
        await docker(1, "swarm", "update", "--autolock");
        await restart(3);
      },
      cause: /^host3: The host is on, and its agent does not run or is locked$/,
      remedy: /^Run "gam unlock" on host3/,
      mend: async () => {
        const key = await docker(1, "swarm", "unlock-key", "-q");
        const unlocked = await host(3).gam(["unlock", "--key-file", "-"], { input: key });
        assert.equal(unlocked.code, 0, unlocked.stderr);
        await docker(1, "swarm", "update", "--autolock=false");
      },
    },
  ];

  before(async () => {
    lab = await Lab.up({ hosts: 3, number });
    // The data directory of host3 is a small disk of its own. Host3 never loses power, which would unmount it.
    const image = join(host(3).folder, "disk.img");
    await run(3, "truncate", "--size", "256M", image);
    await run(3, "mkfs.ext4", "-q", "-m", "0", image);
    await run(3, "mount", "-o", "loop", image, dataDir);
    for (const one of lab.hosts) await one.startAgent();
    await docker(
      1,
      ...["swarm", "init", "--advertise-addr", host(1).address],
      ...["--default-addr-pool", "10.200.0.0/17", "--default-addr-pool-mask-length", "22"],
    );
    const token = await docker(1, "swarm", "join-token", "-q", "manager");
    for (const one of [2, 3]) {
      const { code, stdout, stderr } = await host(one).gam(["join", token.trim()]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^Joined: the mesh has \d hosts/);
      assert.doesNotMatch(stderr, /Warning/);
    }
    mesh = await LabMesh.of(lab);
    await voters();
    await healthy(1);
  });
  after(() => Lab.down(number));

  /** The leader makes a host a voter some time after it has joined or come back. */
  async function voters(): Promise<void> {
    await mesh.until("all three vote", patienceMs, async () => {
      const status = checkStatus(await mesh.call(host(1), "GET", "/gam/v1/status"), "status");
      return status.voters.length === 3 && status.leader !== null;
    });
  }

  async function healthy(at: number): Promise<void> {
    let found: readonly DoctorFinding[] = [];
    const what = (): string => `nothing is wrong (now ${JSON.stringify(found)})`;
    await mesh.until(what, patienceMs, async () => {
      const { findings, checks } = await ask(at);
      found = findings;
      return findings.length === 0 && checks.every(({ result }) => result !== "failed");
    });
  }

  for (const { name, at = 1, make, cause, remedy, mend } of incidents) {
    test(`names ${name} first, and the remedy mends it`, async () => {
      let first: DoctorFinding | undefined;
      try {
        await make();
        const beganMs = performance.now();
        while (!cause.test(first?.cause ?? "") && performance.now() - beganMs < patienceMs) {
          if (first !== undefined) await pause(100);
          [first] = (await ask(at)).findings;
        }
      } finally {
        // Also after a failure: the next incident needs a mesh that is well.
        await mend();
      }
      assert.match(first?.cause ?? "nothing", cause);
      assert.match(first?.remedy ?? "", remedy);
      await voters();
      await healthy(at);
    });
  }

  test("a host that joins without its engine, in a mesh with another clock, is warned of both", async () => {
    const module = new URL("./clock-ahead.ts", import.meta.url).href;
    const left = await host(3).gam(["leave"]);
    assert.equal(left.code, 0, left.stderr);
    await host(3).killEngine("SIGKILL");
    await restart(3, { env: { NODE_OPTIONS: `--import ${module}` } });
    const token = (await docker(1, "swarm", "join-token", "-q", "manager")).trim();
    const { code, stdout, stderr } = await host(3).gam(["join", token]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Joined: the mesh has 3 hosts/);
    assert.match(stderr, /^Warning: host3: Its clock is 2 days ahead$/m);
    assert.match(stderr, /^Warning: host3: Its engine does not run: /m);
    assert.match(stderr, /^ {2}Run "systemctl start docker" on host3$/m);
  });
});
