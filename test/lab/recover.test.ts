/**
 * Five hosts of which three are lost for good: `gam recover` on a survivor, and later the three come back.
 *
 * One mesh serves all tests, in order: each begins with the state that the one before leaves.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Disk } from "../../packages/agent/src/disk/disk.ts";
import { HostKey } from "../../packages/agent/src/disk/host-key.ts";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh, type Place } from "./clusters/lab-mesh.ts";

const skip = labUnavailable() ?? false;
const number = 83;
/** Only ends a test that would never end. */
const patienceMs = 120_000;
const replicas = 6;

interface Status {
  readonly voters: readonly string[];
  readonly leader: string | null;
}

interface Story {
  readonly name: string;
  /** Names the service that is written before the hosts are lost. */
  readonly key: string;
  /** Whether the survivor is a standby: it has the log but no vote. */
  readonly standby: boolean;
  /** Damages the survivor before it recovers. */
  readonly spoil?: (survivor: Host) => Promise<void>;
}

describe("three of five hosts are lost for good", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  before(async () => {
    lab = await Lab.up({ hosts: 5, number, agents: true });
    mesh = await LabMesh.form(lab);
    await mesh.createService(lab.host(1), "web", replicas);
    await mesh.running(lab.host(1), "web", replicas);
  });
  after(async () => {
    await Lab.down(number);
  });

  for (const { name, key, standby, spoil } of [
    { name: "a voter", key: "first", standby: false },
    {
      name: "a voter whose log has an unreadable entry",
      key: "second",
      standby: false,
      spoil: poison,
    },
    { name: "a standby, beside a worker", key: "third", standby: true },
  ] satisfies Story[]) {
    test(`gam recover goes on from ${name}`, async () => {
      await (standby ? onlyTwoManagers() : allManagers());
      const { survivor, other, lost } = standby ? await aStandby() : await twoVoters();
      await mesh.createService(survivor, key, 0);
      const services = await serviceNames(survivor);
      const cluster = await clusterOf(survivor);
      await Promise.all(lost.map((host) => host.kill()));
      const kept = await mesh.places("web");
      await spoil?.(survivor);

      await mesh.until("gam recover may go on", patienceMs, async () => {
        const { code } = await survivor.gam(["recover"]);
        return code === 0;
      });
      const shown = await survivor.gam(["recover", "--json"]);
      const report = JSON.parse(shown.stdout) as { services: string[]; skipped: unknown[] };
      assert.deepEqual([...report.services].sort(), services, "the dry run shows other services");
      assert.equal(report.skipped.length, spoil === undefined ? 0 : 1);
      // The other survivor may answer only now, and still hear the leader that was lost a moment ago: then it is refused.
      await mesh.until("this host recovers", patienceMs, async () => {
        const { code } = await survivor.gam(["recover", "--yes"]);
        return code === 0;
      });

      // A worker refuses calls about the cluster.
      const isManager = (host: Host): boolean => !standby || host.number <= 2;
      for (const host of [survivor, other].filter(isManager)) {
        await mesh.until(`${host.name} goes on`, patienceMs, async () => {
          await mesh.touch(host, "web");
          return true;
        });
        assert.deepEqual(await serviceNames(host), services);
      }
      await mesh.running(
        survivor,
        "web",
        replicas,
        lost.map(({ number }) => number),
      );
      assertKept(kept, await mesh.places("web"));

      for (const host of lost) await mesh.powerOn(host);
      await mesh.ready(survivor, 5, patienceMs);
      await mesh.running(survivor, "web", replicas);
      for (const host of lab.hosts) {
        await mesh.until(`${host.name} is of the same cluster`, patienceMs, async () => {
          const { leader } = await statusOf(survivor);
          return leader !== null && (await statusOf(host)).leader === leader;
        });
      }
      for (const host of lab.hosts.filter(isManager)) {
        assert.equal(await clusterOf(host), cluster);
        assert.deepEqual(await serviceNames(host), services);
      }
      const places = await mesh.places("web");
      assert.equal(
        new Set(places.map(({ slot }) => slot)).size,
        places.length,
        "a slot runs twice",
      );
      assertKept(kept, places);
    });
  }

  /** Checks that the survivors' containers are the same and were not restarted. */
  function assertKept(before: readonly Place[], now: readonly Place[]): void {
    const ids = new Map(now.map((place) => [place.container, place]));
    for (const place of before) assert.deepEqual(ids.get(place.container), place);
  }

  async function twoVoters(): Promise<{ survivor: Host; other: Host; lost: Host[] }> {
    await mesh.until("all five vote", patienceMs, async () => {
      return (await statusOf(lab.host(1))).voters.length === 5;
    });
    const leader = await mesh.leader(lab.host(1));
    const followers = lab.hosts.filter((host) => host.number !== leader);
    const [survivor, other, ...others] = followers as [Host, Host, ...Host[]];
    return { survivor, other, lost: [lab.host(leader), ...others] };
  }

  /** The survivor is the manager without a vote, of two; the other one is a worker. */
  async function aStandby(): Promise<{ survivor: Host; other: Host; lost: Host[] }> {
    await mesh.until("one votes", patienceMs, async () => {
      return (await statusOf(lab.host(1))).voters.length === 1;
    });
    const [voter] = (await statusOf(lab.host(1))).voters;
    const managers = [lab.host(1), lab.host(2)];
    const survivor = managers.find((host) => mesh.ids.get(host.number) !== voter) as Host;
    const [other, ...workers] = lab.hosts.filter((host) => !managers.includes(host));
    assert.ok(other !== undefined);
    return { survivor, other, lost: [...managers.filter((host) => host !== survivor), ...workers] };
  }

  async function onlyTwoManagers(): Promise<void> {
    for (const host of [3, 4, 5]) await setRole(host, "demote");
  }

  async function allManagers(): Promise<void> {
    for (const host of [1, 2, 3, 4, 5]) await setRole(host, "promote");
  }

  async function setRole(host: number, command: "promote" | "demote"): Promise<void> {
    const { code, stderr } = await lab.host(1).docker(["node", command, mesh.ids.get(host) ?? ""]);
    assert.equal(code, 0, stderr);
  }

  async function statusOf(host: Host): Promise<Status> {
    return await mesh.call<Status>(host, "GET", "/gam/v1/status");
  }

  async function clusterOf(host: Host): Promise<string> {
    return (await mesh.call<{ ID: string }>(host, "GET", "/swarm")).ID;
  }

  async function serviceNames(host: Host): Promise<string[]> {
    const services = await mesh.call<{ Spec: { Name: string } }[]>(host, "GET", "/services");
    return services.map(({ Spec }) => Spec.Name).sort();
  }
});

/** Appends an unreadable entry to the host's log, as if it had always been there. */
async function poison(host: Host): Promise<void> {
  await host.killAgent("SIGKILL");
  const folder = join(host.folder, "gam");
  const { cipher } = await HostKey.open(folder);
  const { disk, recovered } = await Disk.open(join(folder, "journal"), cipher);
  const { restored, journal, cut } = recovered;
  assert.equal(cut, undefined, "the journal ends with a whole record");
  const index = restored.entries.at(-1)?.index ?? restored.snapshot?.index ?? 0;
  const { term } = restored.hardState;
  const entry = { index: index + 1, term, kind: "data", data: Uint8Array.of(0xc1) } as const;
  journal.request({ write: 1, entries: [entry] });
  const step = journal.take();
  assert.ok(step?.kind === "append");
  await disk.perform(step);
  await disk.close();
  await host.startAgent();
}
