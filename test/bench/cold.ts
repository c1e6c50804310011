/**
 * Cold: all hosts lose power at once while clients write, and start again.
 *
 *   node test/bench/cold.ts [--rounds 5] [--writes 100] [--lab 58] [--check]
 *
 * Measures the time until a peer accepts a write again, the time until all replicas run again, and how many
 * acknowledged writes are missing at any peer. None may be missing, on any machine. The times have no target.
 */
import { type Host, Lab, LabError } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { print, printCount } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { rounds, writes, lab: number } = benchOptions({ rounds: 5, writes: 100, lab: 58 });
const replicas = 10;

const lab = await Lab.up({ hosts: 5, number, agents: true });
try {
  const mesh = await LabMesh.form(lab);
  await mesh.createService(lab.host(1), "web", replicas);
  await mesh.running(lab.host(1), "web", replicas);
  const written: number[] = [];
  const running: number[] = [];
  const missing: number[] = [];
  const acknowledged: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    acknowledged.push(...(await writeUntilPowerIsLost(mesh, round)));
    await Promise.all(lab.hosts.map((host) => host.start()));
    const beganMs = performance.now();
    await Promise.all(lab.hosts.map((host) => host.startAgent()));
    await mesh.until("a write is accepted", 60_000, async () => {
      await mesh.touch(lab.host(1), "web", 10_000);
      return true;
    });
    written.push(performance.now() - beganMs);
    await mesh.running(lab.host(2), "web", replicas, [], 120_000);
    running.push(performance.now() - beganMs);
    missing.push(await missingAnywhere(mesh, acknowledged));
  }
  print("engines up until a write is accepted", written, "ms");
  print("engines up until all replicas run again", running, "ms");
  const lost = Math.max(...missing);
  printCount("acknowledged writes that were lost", lost, acknowledged.length, { most: 0 });
} finally {
  await lab.down();
}

/** Writes at every host at once. After `--writes` writes all hosts lose power, in the middle of others. */
async function writeUntilPowerIsLost(mesh: LabMesh, round: number): Promise<string[]> {
  const acknowledged: string[] = [];
  const enough = Promise.withResolvers<void>();
  const write = async (host: Host): Promise<void> => {
    for (let n = 0; ; n += 1) {
      const name = `${host.name}-${round}-${n}`;
      await mesh.createService(host, name, 0);
      acknowledged.push(name);
      if (acknowledged.length === writes) enough.resolve();
    }
  };
  const writers = lab.hosts.map((host) =>
    write(host).catch((thrown: unknown) => {
      if (!(thrown instanceof LabError)) throw thrown;
    }),
  );
  await Promise.race([enough.promise, Promise.all(writers)]);
  await Promise.all(lab.hosts.map((host) => host.kill()));
  await Promise.all(writers);
  return acknowledged;
}

async function missingAnywhere(mesh: LabMesh, acknowledged: readonly string[]): Promise<number> {
  let missing = 0;
  for (const host of lab.hosts) {
    // A write at that host, so that its copy has all earlier writes.
    await mesh.until(`${host.name} accepts a write`, 60_000, async () => {
      await mesh.touch(host, "web", 10_000);
      return true;
    });
    const services = await mesh.call<{ Spec: { Name: string } }[]>(host, "GET", "/services");
    const names = new Set(services.map(({ Spec }) => Spec.Name));
    missing = Math.max(missing, acknowledged.filter((name) => !names.has(name)).length);
  }
  return missing;
}
