/**
 * Canaries on real hosts, under requests by published ports: one whose tasks fail their check goes back by itself, and
 * a good one takes over although the leader's host loses power in the middle. Host names of tasks tell their version.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { healthFlags } from "../clusters/rolling-update.ts";
import { Load, type LoadResult } from "../load/load.ts";

const skip = labUnavailable() ?? false;
const number = 53;
/** Only ends a test that would never end. */
const patienceMs = 300_000;
const replicas = 4;
const perSecond = 30;
/** Of all requests from the update until it has gone back. */
const seenMax = 12;
/** For a measured share of this many connections. */
const connections = 3000;
const pointsMax = 2;
const check = { "gam.rollout": "canary", "gam.rollout.check.http": ":80/health" };

interface Status {
  readonly State: string;
  readonly Message: string;
}

describe("canaries, on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true, echo: true, measure: true });
    mesh = await LabMesh.form(lab);
    asked = lab.host(2);
    assert.ok(lab.machine !== undefined);
    const labels = Object.entries(check).flatMap(([name, value]) => [
      "--label",
      `${name}=${value}`,
    ]);
    await mustDocker(asked, [
      ...["service", "create", "--detach", "--quiet", "--name", "web"],
      ...["--replicas", `${replicas}`, "--publish", "8080:80", "--hostname", "one-{{.Task.Slot}}"],
      ...[...labels, ...healthFlags(lab.machine, replicas), "gam/echo:1"],
    ]);
    await mesh.running(asked, "web", replicas, [], patienceMs);
  });
  after(async () => {
    await Lab.down(number);
  });

  async function update(version: string, steps: string, ...more: string[]): Promise<void> {
    await mustDocker(asked, [
      ...["service", "update", "--detach", "--quiet", "--no-resolve-image"],
      ...["--hostname", `${version}-{{.Task.Slot}}`, "--label-add", `gam.rollout.steps=${steps}`],
      ...[...more, "web"],
    ]);
  }

  async function status(): Promise<Status> {
    const format = "{{json .UpdateStatus}}";
    const found = await mustDocker(asked, ["service", "inspect", "--format", format, "web"]);
    return JSON.parse(found) ?? { State: "", Message: "" };
  }

  async function until(what: string, holds: (now: Status) => boolean): Promise<void> {
    await mesh.until(what, patienceMs, async () => holds(await status()));
  }

  function urls(hosts: readonly Host[]): string[] {
    return hosts.map(({ address }) => `http://${address}:8080/`);
  }

  /** Percent of the answers that came from tasks of this version. */
  function shareOf(version: string, { answered, servers }: LoadResult): number {
    const named = Object.entries(servers).filter(([name]) => name.startsWith(`${version}-`));
    return (100 * named.reduce((sum, [, count]) => sum + count, 0)) / answered;
  }

  test("one that fails its check goes back, and few requests have seen it", async () => {
    const load = await Load.start(lab.host(1), { urls: urls(lab.hosts), perSecond });
    await load.underWay();
    await update("bad", "10%:5m", "--env-add", "HEALTH=500");
    let message = "";
    await until("it has gone back", ({ State, Message }) => {
      message = Message;
      return State === "rollback_completed";
    });
    load.end();
    const result = await load.result();
    const seen = shareOf("bad", result);
    console.log(`${seen.toFixed(2)} % of ${result.answered} requests saw it: ${message}`);
    console.log(JSON.stringify(result));
    assert.match(message, /^rollback completed: canary rolled back at 10 %: task \w+, asked for/);
    assert.match(message, /failed 3 times in a row: it answered with status 500$/);
    assert.deepEqual(result.failures, {});
    assert.ok(seen > 0 && seen <= seenMax, `${seen} %`);
    await mesh.running(asked, "web", replicas, [], patienceMs);
  });

  test("a good one takes over, and the next leader goes on where the lost one stopped", async () => {
    await update("two", "10%,50%", "--env-rm", "HEALTH");
    await until("a tenth", ({ State, Message }) => State === "paused" && / 10 %/.test(Message));
    await measure(10, lab.hosts);
    const lost = lab.host(await mesh.leader(asked));
    const rest = lab.hosts.filter((host) => host !== lost);
    asked = rest.find((host) => host === asked) ?? lab.host(rest[0]?.number ?? 1);
    assert.equal((await asked.gam(["service", "resume", "web"])).code, 0);
    await lost.kill();
    await until("a half", ({ State, Message }) => State === "paused" && / 50 %/.test(Message));
    await measure(50, rest);
    assert.equal((await asked.gam(["service", "promote", "web"])).code, 0);
    await until("it has taken over", ({ State }) => State === "completed");
    console.log((await asked.gam(["service", "rollout", "web"])).stdout);
    await measure(100, rest);
  });

  /** Waits until these hosts divide connections by the weight, then counts. */
  async function measure(weight: number, hosts: readonly Host[]): Promise<void> {
    const [from] = hosts;
    assert.ok(from !== undefined);
    const share = async (count: number): Promise<number> => {
      const load = await Load.start(from, { urls: urls(hosts), count, atOnce: 16 });
      const result = await load.result();
      return Object.keys(result.failures).length > 0 ? Number.NaN : shareOf("two", result);
    };
    await mesh.until(`${weight} % at all hosts`, patienceMs, async () => {
      return Math.abs((await share(200)) - weight) < 3 * pointsMax + 5;
    });
    const found = await share(connections);
    console.log(`${found.toFixed(2)} % of ${weight} % at ${hosts.length} hosts`);
    assert.ok(Math.abs(found - weight) <= pointsMax, `${found} % of ${weight} %`);
  }
});
