/** Runs a malicious worker against real agents on loopback. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ClusterDoor } from "@gam/api";
import { loadCredentials, loadIdentity } from "@gam/mesh";
import { clusterSpecDefault, dataPathDefault } from "@gam/state";
import { aService } from "@gam/state/testing";
import { Agent } from "./agent.ts";
import { readConfig } from "./config.ts";
import { Disk } from "./disk/disk.ts";
import { HostKey } from "./disk/host-key.ts";
import { Attacker, attacks, stateIn } from "./testing/attacker.ts";
import { own } from "./testing/running-agent.ts";

const triesMax = 10;
const guard = { timeout: 240_000 };
const here = { listenAddr: undefined, advertiseAddr: undefined, availability: "active" } as const;
const init = { ...here, spec: clusterSpecDefault, dataPath: dataPathDefault };

interface Member {
  readonly folder: string;
  readonly agent: Agent;
  readonly door: ClusterDoor;
  /** Refusals in the log: the peer and the reason. */
  readonly refused: { readonly peer: unknown; readonly reason: string }[];
}

async function member(t: TestContext): Promise<Member> {
  const folder = await mkdtemp(join(tmpdir(), "gam-attacked-"));
  const args = ["--data-dir", folder, "--engine", join(folder, "no-engine.sock")];
  args.push("--files-dir", join(folder, "files"));
  const mesh = ["--listen", "127.0.0.1:0", "--advertise", "127.0.0.1"];
  const config = readConfig([...args, ...mesh, "--networks", "off"], {});
  const refused: Member["refused"] = [];
  const note = (fields: object): void => {
    const { peer, origin, reason } = fields as Record<string, unknown>;
    if (typeof reason === "string") refused.push({ peer: peer ?? origin, reason });
  };
  const log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const fail = (thrown: unknown): void => {
    throw thrown;
  };
  const agent = await Agent.start(config, log, own, fail);
  t.after(async () => {
    await agent.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return { folder, agent, door: agent.door(), refused };
}

async function isSoon(holds: () => boolean): Promise<boolean> {
  const deadline = performance.now() + 2_000;
  while (!holds() && performance.now() < deadline) {
    await new Promise((settle) => setTimeout(settle, 20));
  }
  return holds();
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `in time: ${what}`);
    await new Promise((settle) => setTimeout(settle, 20));
  }
}

/** Returns: the part of the state that no worker may change. A node's reports about itself are not in it. */
function essence({ door }: Member): unknown {
  const view = door.view();
  const nodes = view.nodes().map(({ ID, Spec, Gam, Description }) => {
    return { ID, Spec, addresses: Gam.addresses, name: Description.Hostname, network: Gam.network };
  });
  const tasks = view.tasks().map(({ ID, NodeID, DesiredState }) => ({ ID, NodeID, DesiredState }));
  return {
    cluster: view.cluster,
    nodes,
    tasks,
    services: view.services(),
    networks: view.networks(),
  };
}

test("the script for real hosts prints its usage", guard, async () => {
  const script = fileURLToPath(new URL("../../../test/lab/attack/attacker.ts", import.meta.url));
  const run = promisify(execFile)(process.execPath, [script]);
  await assert.rejects(run, {
    code: 2,
    stderr: /^Usage: node test\/lab\/attack\/attacker\.ts DATA_DIR/,
  });
});

test("a malicious worker changes nothing, and each attempt is logged", guard, async (t) => {
  const members = [await member(t), await member(t), await member(t), await member(t)] as const;
  const [a, b, c, worker] = members;
  await a.door.init(init);
  const { manager, worker: workers } = a.door.tokens();
  for (const [{ door }, token] of [
    [b, manager],
    [c, manager],
    [worker, workers],
  ] as const) {
    await door.join({ ...here, token, addresses: [] });
  }
  await a.door.propose([aService("web".padEnd(25, "0"), { replicas: 3 })]);
  await until("the service has tasks", () => a.door.view().tasks().length === 3);
  const described = (): boolean =>
    a.door
      .view()
      .nodes()
      .every(({ Gam }) => Gam.network !== undefined);
  await until("all have said what they are", described);
  await worker.door.fresh();

  // Root on the worker stops the agent and takes its files.
  await worker.agent.stop();
  const { cipher } = await HostKey.open(worker.folder);
  const identity = await loadIdentity(worker.folder, cipher);
  const credentials = await loadCredentials(worker.folder, cipher);
  assert.ok(credentials !== undefined && credentials.rootPrivateKey === undefined);
  const { disk, recovered } = await Disk.open(join(worker.folder, "journal"), cipher);
  await disk.close();
  const view = stateIn(recovered);
  const life = recovered.journal.life.at(-1) ?? "";
  const targets = [a, b, c].map(({ door }) => door.view().node(door.self)?.Gam.addresses[0] ?? "");
  const listen = { host: "127.0.0.1", port: 0 };
  const attacker = await Attacker.open({ identity, credentials, view, life, listen, targets });
  t.after(() => attacker.close());

  const before = essence(a);
  const { term } = a.door.status();
  for (const { name, named, run } of attacks) {
    await t.test(name, async () => {
      const isNamed = (): boolean =>
        [a, b, c].some(({ refused }) =>
          refused.some(({ peer, reason }) => peer !== undefined && named?.test(reason)),
        );
      // A peer that was just disconnected may not have noticed yet, and its messages go nowhere.
      for (let tries = 0; tries < triesMax; tries += 1) {
        await attacker.connected();
        await run(attacker);
        if (named === undefined || (await isSoon(isNamed))) return;
      }
      assert.fail(`"${name}" is named nowhere`);
    });
  }
  await a.door.fresh();
  assert.deepEqual(essence(a), before);
  assert.ok(a.door.status().term < term + 40, "terms leap nowhere");
  for (const { door } of [a, b, c]) assert.ok(door.status().term < term + 40);
  await b.door.propose([aService("db".padEnd(25, "0"), { replicas: 1 })]);
  assert.equal(a.door.view().node(worker.door.self)?.Spec.Role, "worker");
});
