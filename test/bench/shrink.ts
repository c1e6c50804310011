/**
 * Shrink: five hosts lose power one after the other, every second one the host that leads.
 *
 *   node test/bench/shrink.ts [--every 20] [--replicas 10] [--survivor voter|other] [--lab 56] [--check]
 *
 * After each loss: how long until all replicas run on the hosts that are left, and until the docker
 * client at each of them has scaled the service. Two hosts are left with one voter. When the other one
 * goes, the voter schedules alone. When the voter goes (`--survivor other`) nobody may decide: what the
 * survivor then says, and that its containers run on, is printed.
 */
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Host, Lab, LabError } from "../lab/lab.ts";
import { LabMesh } from "../lab/lab-mesh.ts";
import { print } from "./figures.ts";

const { values } = parseArgs({
  options: {
    every: { type: "string", default: "20" },
    replicas: { type: "string", default: "10" },
    survivor: { type: "string", default: "voter" },
    lab: { type: "string", default: "56" },
    check: { type: "boolean", default: false },
  },
});
const everyMs = Number(values.every) * 1000;
const survivorVotes = values.survivor === "voter";
let replicas = Number(values.replicas);

const lab = await Lab.up({ hosts: 5, number: Number(values.lab), agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const lost: number[] = [];
  await mesh.createService(lab.host(1), "web", replicas);
  await mesh.running(lab.host(1), "web", replicas);
  while (left(lost).length > 1) {
    const last = left(lost).length === 2;
    const leader = await mesh.leader(left(lost)[0] ?? lab.host(1));
    const others = left(lost).filter(({ number }) => number !== leader);
    const leads = last ? !survivorVotes : lost.length % 2 === 1;
    const victim = leads ? lab.host(leader) : (others[0] ?? lab.host(leader));
    const keptMs = performance.now();
    await victim.kill();
    const beganMs = performance.now();
    lost.push(victim.number);
    const name = `${left(lost).length} left, lost ${leads ? "the leader's" : "another"} host`;
    if (last && leads) await stranded(mesh, left(lost)[0] ?? victim);
    else await goesOn(mesh, left(lost), name, beganMs);
    await pause(Math.max(0, everyMs - (performance.now() - keptMs)));
  }
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
  const running = mesh.running(asked, "web", replicas, gone).then(
    () => [performance.now() - beganMs],
    (thrown) => failed(`${name}: replicas do not run`, thrown),
  );
  print(`${name}: until all ${replicas} replicas run`, await running, "ms");
  const scaledMs: number[] = [];
  for (const host of survivors) {
    replicas += replicas % 2 === 0 ? 1 : -1;
    const startMs = performance.now();
    const words = ["service", "scale", "--detach", `web=${replicas}`];
    const { code, stdout, stderr } = await host.docker(words, { timeoutMs: 30_000 });
    if (code !== 0) failed(`${name}: scaling at ${host.name}`, new LabError(stdout + stderr));
    scaledMs.push(performance.now() - startMs);
  }
  print(`${name}: docker service scale, at each host`, scaledMs, "ms");
  await mesh.running(asked, "web", replicas, gone).catch((thrown) => {
    failed(`${name}: replicas do not follow`, thrown);
  });
}

/** The only voter is gone, so nothing can be decided. */
async function stranded(mesh: LabMesh, host: Host): Promise<void> {
  const before = await containersOf(host);
  const known = mesh.until("the survivor knows that nobody leads", 10_000, async () => {
    const { leader } = await mesh.call<{ leader: string | null }>(host, "GET", "/gam/v1/status");
    return leader === null;
  });
  await known.catch((thrown) => failed("the only voter is gone", thrown));
  const say = (what: string, { code, stdout, stderr }: Awaited<ReturnType<Host["gam"]>>): void => {
    process.stdout.write(`\n$ ${what}   (code ${code})\n${stdout}${stderr}`);
  };
  say("gam status", await host.gam(["status"]));
  say("docker node ls", await host.docker(["node", "ls"]));
  say("docker service ls", await host.docker(["service", "ls"]));
  say("docker service scale", await host.docker(["service", "scale", "-d", "web=3"]));
  const kept = (await containersOf(host)).filter((id) => before.includes(id)).length;
  process.stdout.write("\n");
  print("the survivor's containers that run on", [kept], `of ${before.length}`, {
    least: before.length,
  });
}

async function containersOf(host: Host): Promise<string[]> {
  const { stdout } = await host.docker(["ps", "-q", "--no-trunc"], { engine: true });
  return stdout.split("\n").filter((id) => id !== "");
}

function failed(what: string, thrown: unknown): number[] {
  if (!(thrown instanceof LabError)) throw thrown;
  process.stdout.write(`FAILED ${what}: ${thrown.message}\n`);
  if (values.check) process.exitCode = 1;
  return [];
}
