/**
 * Shrink: five hosts lose power one after the other, every second time the leader's host.
 *
 *   node test/bench/shrink.ts [--every 20] [--replicas 10] [--lab 56] [--check]
 *
 * After each loss: how long until all replicas run on the remaining hosts, and until the docker client at
 * each of them has scaled the service. In the end two hosts are left, two of three voters. When one of them is
 * lost, there is no majority: the bench prints what the survivor answers, and that its containers keep
 * running. When the other host is back, the two work again.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab, LabError } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { mustDocker } from "../lab/clusters/must-docker.ts";
import { print, printCount } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const options = benchOptions({ every: 20, replicas: 10, lab: 56 });
const everyMs = options.every * 1000;
let { replicas } = options;
let checks = 0;
let failures = 0;

const lab = await Lab.up({ hosts: 5, number: options.lab, agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const lost: number[] = [];
  await mesh.createService(lab.host(1), "web", replicas);
  await mesh.running(lab.host(1), "web", replicas);
  while (left(lost).length > 2) {
    const leader = await mesh.leader(left(lost)[0] ?? lab.host(1));
    const others = left(lost).filter(({ number }) => number !== leader);
    const leads = lost.length % 2 === 1;
    const victim = leads ? lab.host(leader) : (others[0] ?? lab.host(leader));
    const keptMs = performance.now();
    await victim.kill();
    const beganMs = performance.now();
    lost.push(victim.number);
    const name = `${left(lost).length} left, lost ${leads ? "the leader's" : "another"} host`;
    await goesOn(mesh, left(lost), name, beganMs);
    await pause(Math.max(0, everyMs - (performance.now() - keptMs)));
  }
  const [survivor, last] = left(lost);
  if (survivor !== undefined && last !== undefined) {
    await last.kill();
    await stranded(mesh, survivor);
    const beganMs = performance.now();
    await mesh.powerOn(last);
    await goesOn(mesh, left(lost), "2 left, one of them was away", beganMs);
  }
  printCount("checks that failed", failures, checks, { most: 0 });
} finally {
  await lab.down();
}

function left(lost: readonly number[]): Host[] {
  return lab.hosts.filter(({ number }) => !lost.includes(number));
}

async function goesOn(
  mesh: LabMesh,
  survivors: readonly Host[],
  name: string,
  beganMs: number,
): Promise<void> {
  const gone = lab.hosts.filter((host) => !survivors.includes(host)).map(({ number }) => number);
  const asked = survivors.at(-1) ?? lab.host(1);
  await check(`${name}: replicas run`, mesh.running(asked, "web", replicas, gone));
  print(`${name}: until all ${replicas} replicas run`, [performance.now() - beganMs], "ms");
  const scaledMs: number[] = [];
  for (const host of survivors) {
    replicas += replicas % 2 === 0 ? 1 : -1;
    const startMs = performance.now();
    const words = ["service", "scale", "--detach", `web=${replicas}`];
    await check(`${name}: scaling at ${host.name}`, mustDocker(host, words));
    scaledMs.push(performance.now() - startMs);
  }
  print(`${name}: docker service scale, at each host`, scaledMs, "ms");
  await check(`${name}: replicas follow`, mesh.running(asked, "web", replicas, gone));
}

/** Checks a host that is the last of three voters, without a majority. */
async function stranded(mesh: LabMesh, host: Host): Promise<void> {
  const before = await containersOf(host);
  const known = mesh.until("the survivor knows that nobody leads", 10_000, async () => {
    const { leader } = await mesh.call<{ leader: string | null }>(host, "GET", "/gam/v1/status");
    return leader === null;
  });
  await check("the last two need each other", known);
  const say = (what: string, { code, stdout, stderr }: Awaited<ReturnType<Host["gam"]>>): void => {
    process.stdout.write(`\n$ ${what}   (code ${code})\n${stdout}${stderr}`);
  };
  say("gam status", await host.gam(["status"]));
  say("docker node ls", await host.docker(["node", "ls"]));
  say("docker service ls", await host.docker(["service", "ls"]));
  say("docker service scale", await host.docker(["service", "scale", "-d", "web=3"]));
  const kept = (await containersOf(host)).filter((id) => before.includes(id)).length;
  process.stdout.write("\n");
  printCount("the survivor's containers that run on", kept, before.length, {
    least: before.length,
  });
}

async function containersOf(host: Host): Promise<string[]> {
  const { stdout } = await host.docker(["ps", "-q", "--no-trunc"], { engine: true });
  return stdout.split("\n").filter((id) => id !== "");
}

/** Counts a check, and a failure if `work` rejects. */
async function check(what: string, work: Promise<unknown>): Promise<void> {
  checks += 1;
  try {
    await work;
  } catch (thrown) {
    if (!(thrown instanceof LabError)) throw thrown;
    failures += 1;
    process.stdout.write(`FAILED ${what}: ${thrown.message}\n`);
  }
}
