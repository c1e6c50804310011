/**
 * Three hosts of which one is lost: the other two keep the votes and every acknowledged write.
 *
 * One mesh serves all tests, in order: each begins with the state that the one before leaves.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";

const skip = labUnavailable() ?? false;
const number = 67;
/** Only ends a test that would never end. */
const patienceMs = 120_000;
/** Several times what it took to lose a vote when votes depended on the node's state. The simulator waits a minute. */
const engineGoneMs = 15_000;
const writesBeforeLoss = 20;

interface Status {
  readonly voters: readonly string[];
  readonly nodes: readonly {
    readonly hostname: string;
    readonly engine: boolean;
    readonly heard: boolean;
  }[];
}

describe("three hosts of which one is lost", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    await mesh.createService(lab.host(1), "web", 3);
    await mesh.running(lab.host(1), "web", 3);
    await allVote();
  });
  after(async () => {
    await Lab.down(number);
  });

  test("a voter whose engine is stopped keeps its vote", async () => {
    const [leader, other] = await leaderAndOther();
    await other.killEngine("SIGTERM");
    await mesh.until("its host is down, but heard", patienceMs, async () => {
      const { nodes } = await statusOf(leader);
      const node = nodes.find(({ hostname }) => hostname === other.name);
      return node?.engine === false && node.heard;
    });
    const goneMs = performance.now();
    await mesh.until("some time has passed", patienceMs, async () => {
      const { voters } = await statusOf(leader);
      assert.equal(voters.length, 3, "a host without an engine has lost its vote");
      return performance.now() - goneMs >= engineGoneMs;
    });
    const { stdout } = await leader.gam(["status"]);
    assert.match(stdout, new RegExp(`${other.name}.*no engine`));
    await other.startEngine();
    await mesh.ready(leader, 3, patienceMs);
    await allVote();
  });

  test("one host reboots, the leader is lost, the first returns: no acknowledged write is missing", async () => {
    const [a, c] = await leaderAndOther();
    const b = lab.hosts.find((host) => host !== a && host !== c);
    assert.ok(b !== undefined);
    await c.kill();
    // Off until the others have marked it down, and for some more writes.
    await mesh.until("the others know that it is down", patienceMs, async () => {
      const node = (await mesh.nodes(a)).find(({ ID }) => ID === mesh.ids.get(c.number));
      return node?.Status.State === "down";
    });
    const acknowledged: string[] = [];
    const enough = Promise.withResolvers<void>();
    const writing = (async () => {
      for (let n = 0; ; n += 1) {
        const name = `kept-${n}`;
        await mesh.createService(a, name, 0);
        acknowledged.push(name);
        if (acknowledged.length === writesBeforeLoss) enough.resolve();
      }
    })().catch(onlyLabErrors);
    await enough.promise;
    await a.kill();
    await writing;
    await mesh.powerOn(c);
    for (const host of [b, c]) {
      await mesh.until(`a write is accepted at ${host.name}`, patienceMs, async () => {
        await mesh.touch(host, "web");
        return true;
      });
      const services = await mesh.call<{ Spec: { Name: string } }[]>(host, "GET", "/services");
      const names = new Set(services.map(({ Spec }) => Spec.Name));
      assert.deepEqual(
        acknowledged.filter((name) => !names.has(name)),
        [],
        `missing at ${host.name}`,
      );
    }
    await mesh.running(b, "web", 3, [a.number]);
    await mesh.powerOn(a);
    await mesh.ready(b, 3, patienceMs);
    await allVote();
  });

  /** The leader's host, and another one. */
  async function leaderAndOther(): Promise<[Host, Host]> {
    const leader = await mesh.leader(lab.host(1));
    const other = lab.hosts.find((host) => host.number !== leader);
    assert.ok(other !== undefined);
    return [lab.host(leader), other];
  }

  async function statusOf(host: Host): Promise<Status> {
    return await mesh.call<Status>(host, "GET", "/gam/v1/status");
  }

  async function allVote(): Promise<void> {
    await mesh.until("all three vote", patienceMs, async () => {
      return (await statusOf(lab.host(1))).voters.length === 3;
    });
  }
});

function onlyLabErrors(thrown: unknown): void {
  if (!(thrown instanceof LabError)) throw thrown;
}
