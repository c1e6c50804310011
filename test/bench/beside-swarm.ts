/**
 * BesideSwarm: a mesh of gam and a Docker Swarm, five hosts each, up at the same time on this machine.
 *
 * A bench does the same to both, one after the other in each round, and compares within the round. So other
 * work and today's speed of the machine affect both. The waiting cluster costs only what it needs idle
 * (idle.ts measures it).
 */
import { Lab } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { LabSwarm } from "../lab/clusters/lab-swarm.ts";

const hosts = 5;

/** Runs a bench. gam is in the lab of this number, Docker Swarm in the next one. Takes both down at the end. */
export async function besideSwarm(
  number: number,
  measure: (gam: LabMesh, swarm: LabSwarm) => Promise<void>,
): Promise<void> {
  const ours = await Lab.up({ hosts, number, agents: true });
  try {
    const theirs = await Lab.up({ hosts, number: number + 1 });
    try {
      await measure(await LabMesh.form(ours), await LabSwarm.form(theirs));
    } finally {
      await theirs.down();
    }
  } finally {
    await ours.down();
  }
}
