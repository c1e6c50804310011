/**
 * Attacker: tries everything that root on a worker could try against a cluster of real hosts. Run it on that
 * worker, as root, while its agent is stopped:
 *
 *   node test/lab/attack/attacker.ts DATA_DIR LISTEN_HOST HOST:PORT...
 *
 * Takes the keys, the certificate and the state from the agent's data directory, and attacks the members at
 * the given addresses. Prints each attempt, and what the members' logs must show for it. Compare the logs
 * yourself, and check that the cluster has not changed (`gam status`, `docker node ls`). Exits with 1 if a
 * host was let in with what it found.
 */
import { join } from "node:path";
import { Disk } from "../../../packages/agent/src/disk/disk.ts";
import { HostKey } from "../../../packages/agent/src/disk/host-key.ts";
import { Attacker, attacks, stateIn } from "../../../packages/agent/src/testing/attacker.ts";
import { loadCredentials, loadIdentity } from "../../../packages/mesh/src/index.ts";

const [dataDir, host = "0.0.0.0", ...targets] = process.argv.slice(2);
if (dataDir === undefined || targets.length === 0) {
  process.stderr.write(
    "Usage: node test/lab/attack/attacker.ts DATA_DIR LISTEN_HOST HOST:PORT...\n",
  );
  process.exit(2);
}
const { cipher } = await HostKey.open(dataDir);
const credentials = await loadCredentials(dataDir, cipher);
if (credentials === undefined) {
  process.stderr.write(`Cannot attack: "${dataDir}" holds no credentials\n`);
  process.exit(2);
}
const { disk, recovered } = await Disk.open(join(dataDir, "journal"), cipher);
await disk.close();
const attacker = await Attacker.open({
  identity: await loadIdentity(dataDir, cipher),
  credentials,
  view: stateIn(recovered),
  life: recovered.journal.life.at(-1) ?? "",
  listen: { host, port: 0 },
  targets,
});
process.stdout.write(`This is node ${attacker.self}\n`);
let exit = 0;
for (const { name, named, run } of attacks) {
  await attacker.connected();
  try {
    await run(attacker);
    process.stdout.write(`${name}: ${named?.source ?? "no effect expected"}\n`);
  } catch (thrown) {
    exit = 1;
    process.stdout.write(`${name}: FAILED, ${String(thrown)}\n`);
  }
  // A pause, so that each attempt gets its own log line.
  await new Promise((settle) => setTimeout(settle, 500));
}
await attacker.close();
process.exit(exit);
