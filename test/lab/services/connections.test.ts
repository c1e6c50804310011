/**
 * How connections are divided and how they end: two versions of a service with weights, and requests of three seconds
 * while their tasks are replaced on busy hosts. The server ends at once when it is told to, so each request that it has
 * not answered by then is lost.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh, type TaskRow } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { healthFlags, rollingUpdate, tasksOf } from "../clusters/rolling-update.ts";
import type { Background } from "../hosts/background.ts";
import type { Container } from "../load/echo.ts";
import { behind, Load, type LoadResult } from "../load/load.ts";

const skip = labUnavailable() ?? false;
const number = 45;
/** Only ends a test that would never end. */
const patienceMs = 300_000;
const replicas = 4;
const perSecond = 10;
const asked = "/wait/3000";
const longAsked = "/wait/600000";
const held = 8;
const port80 = ":0050";
const established = "01";
const connections = 10_000;
const pointsMax = 2;
const weights = [10, 60] as const;

interface ImageRow extends TaskRow {
  readonly Spec: { readonly ContainerSpec: { readonly Image: string } };
}

describe("connections, on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let host: Host;
  const busy: Background[] = [];
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true, echo: true, measure: true });
    mesh = await LabMesh.form(lab);
    host = lab.host(2);
    assert.ok(lab.machine !== undefined);
    await mustDocker(host, ["network", "create", "--driver", "overlay", "front"]);
    const flags = ["--detach", "--quiet", "--network", "front"];
    await mustDocker(host, [
      ...["service", "create", ...flags, "--name", "web", "--replicas", `${replicas}`],
      ...["--publish", "8080:80", "--env", "ABRUPT=1"],
      ...[...healthFlags(lab.machine, replicas), "gam/echo:1"],
    ]);
    const there = ["--constraint", `node.id==${mesh.ids.get(3)}`];
    const client = ["service", "create", ...flags, ...there, "--name", "client", "gam/echo:1"];
    await mustDocker(host, client);
    await mesh.running(host, "web", replicas, [], patienceMs);
    await mesh.running(host, "client", 1, [], patienceMs);
  });
  after(async () => {
    for (const one of busy) one.kill("SIGKILL");
    await Lab.down(number);
  });

  /** Updates the service under requests by published ports, and by its address from a container. */
  async function update(): Promise<{ ports: LoadResult; overlay: LoadResult; bare: LoadResult }> {
    const [client] = await tasksOf(mesh, "client");
    assert.ok(client !== undefined);
    const options = { urls: [`http://${await vipOf("web", client)}${asked}`], perSecond };
    const inside = await Load.start(client.host, options, client.pid);
    await inside.underWay();
    const { load: ports, bare } = await rollingUpdate({
      ...{ mesh, service: "web", replicas, order: "start-first", perSecond },
      urls: lab.hosts.map((one) => `http://${one.address}:8080${asked}`),
      ...{ from: lab.host(1), bareAt: lab.host(2), withinMs: patienceMs },
    });
    inside.end();
    const overlay = await inside.result();
    console.log(JSON.stringify({ ports, overlay, bare }));
    return { ports, overlay, bare };
  }

  test("a canary gets its weight of the connections", async () => {
    const steps = weights.map((weight) => `${weight}%`).join(",");
    const labels = ["--label", "gam.rollout=canary", "--label", `gam.rollout.steps=${steps}`];
    await mustDocker(host, [
      ...["service", "create", "--detach", "--quiet", "--network", "front", "--name", "shop"],
      ...["--replicas", "3", "--publish", "8081:80", ...labels, "gam/echo:1"],
    ]);
    await mesh.running(host, "shop", 3, [], patienceMs);
    const [client] = await tasksOf(mesh, "client");
    assert.ok(client !== undefined);
    const ports = lab.hosts.map((one) => `http://${one.address}:8081/`);
    const vip = [`http://${await vipOf("shop", client)}/`];
    const image = ["--detach", "--quiet", "--no-resolve-image", "--image", "gam/echo:2"];
    await mustDocker(host, ["service", "update", ...image, "shop"]);
    for (const [at, weight] of weights.entries()) {
      if (at > 0) assert.equal((await host.gam(["service", "resume", "shop"])).code, 0);
      // A step without a time waits for a person.
      await mesh.until(`${weight} % go to the canary`, patienceMs, async () => {
        const { stdout } = await host.gam(["service", "rollout", "shop"]);
        return stdout.includes(`paused at ${weight} %`);
      });
      await mesh.until("all hosts have applied it", patienceMs, async () => {
        const seen = await Promise.all([ports, vip].map((urls) => newShareOf(urls, client, 200)));
        return seen.every((share) => Math.abs(share - weight) < 3 * pointsMax + 5);
      });
      for (const urls of [ports, vip]) {
        const share = await newShareOf(urls, client, connections);
        console.log(`${share.toFixed(2)} % of ${weight} % at ${urls.join(", ")}`);
        assert.ok(Math.abs(share - weight) <= pointsMax, `${share} % of ${weight} %`);
      }
    }
    await mustDocker(host, ["service", "rm", "shop"]);
  });

  /** Percent of so many connections that tasks of the second image answer, from a host or from the client's container. */
  async function newShareOf(
    urls: readonly string[],
    client: Container,
    count: number,
  ): Promise<number> {
    const options = { urls, count, atOnce: 16 };
    const inside = urls.length === 1;
    const load = await (inside
      ? Load.start(client.host, options, client.pid)
      : Load.start(lab.host(1), options));
    const { answered, failures, servers } = await load.result();
    assert.deepEqual([answered, failures], [count, {}]);
    const rows = (await mesh.tasks(host, "shop")) as ImageRow[];
    const isNew = new Set(
      rows
        .filter(({ Spec }) => Spec.ContainerSpec.Image.startsWith("gam/echo:2"))
        .map(({ ID }) => ID),
    );
    const tasks = await tasksOf(mesh, "shop");
    const news = tasks.filter(({ labels }) => isNew.has(labels["com.docker.swarm.task.id"] ?? ""));
    return (100 * news.reduce((sum, one) => sum + (servers[one.hostname] ?? 0), 0)) / count;
  }

  /** The address of the service in the network of the client. */
  async function vipOf(service: string, client: Container): Promise<string> {
    const format = "{{range .Endpoint.VirtualIPs}}{{.Addr}} {{end}}";
    const found = await mustDocker(host, ["service", "inspect", "--format", format, service]);
    const inFront = client.addresses.front?.split(".").slice(0, 3).join(".") ?? "none";
    const vip = found
      .split(" ")
      .find((one) => one.startsWith(inFront))
      ?.split("/")[0];
    assert.ok(vip !== undefined, `${found} and ${JSON.stringify(client.addresses)}`);
    return vip;
  }

  test("without the label, requests are lost", async () => {
    const { ports, overlay } = await update();
    const lost = Object.keys({ ...ports.failures, ...overlay.failures });
    assert.ok(lost.length > 0, "the server did not end at once: this test proves nothing");
  });

  test("with gam.drain, no request is lost, on busy hosts", async (t) => {
    for (const one of lab.hosts) {
      busy.push(await one.spawn("busy", ["sh", "-c", "while :; do :; done"]));
    }
    const label = ["service", "update", "--detach", "--quiet", "--label-add", "gam.drain=10s"];
    await mustDocker(host, [...label, "web"]);
    const { ports, overlay, bare } = await update();
    for (const one of busy.splice(0)) one.kill("SIGKILL");
    const late = behind(ports) ?? behind(overlay);
    if (late !== undefined) return t.skip(`the load generator fell behind: ${late}`);
    if (Object.keys(bare.failures).length > 0) return t.skip("the bare DNAT lost requests, too");
    assert.deepEqual([ports.failures, overlay.failures], [{}, {}]);
  });

  test("the wait is shown, and the removal of the service does not wait", async () => {
    const label = ["service", "update", "--detach", "--quiet", "--label-add", "gam.drain=5m"];
    await mustDocker(host, [...label, "web"]);
    const urls = [`http://${lab.host(1).address}:8080${longAsked}`];
    const load = await Load.start(lab.host(1), {
      urls,
      atOnce: held,
      count: held,
      answerMsMax: 600_000,
    });
    await mesh.until("all requests wait", patienceMs, async () => {
      return (await tasksOf(mesh, "web")).reduce((sum, one) => sum + openAt(one), 0) >= held;
    });
    await mustDocker(host, ["service", "scale", "--detach", "web=0"]);
    const ps = ["service", "ps", "--no-trunc", "--format", "{{.ID}} {{.Error}}", "web"];
    const waits = /^(\w+) "?waits for \d open connections? to end, \d+ s at most"?$/m;
    let task = "";
    await mesh.until("the wait is shown", patienceMs, async () => {
      [, task = ""] = waits.exec(await mustDocker(host, ps)) ?? [];
      return task !== "";
    });
    const why = await host.gam(["why", task]);
    console.log(why.stdout);
    assert.match(
      why.stdout,
      /it waits for \d open connections? to end, \d+ s at most, before it is/,
    );
    const found = (await tasksOf(mesh, "web")).find((one) => {
      return one.labels["com.docker.swarm.task.id"]?.startsWith(task);
    });
    assert.ok(found !== undefined, "it was stopped");
    const open = openAt(found);
    await found.host.killAgent("SIGKILL");
    await found.host.startAgent();
    await mesh.ready(host, lab.hosts.length, patienceMs);
    // The new agent has applied a later write, so it knows that the task leaves.
    await mustDocker(found.host, ["config", "create", "later", "-"], { input: "x" });
    assert.equal(openAt(found), open, "an agent that restarts cuts no connection");
    await mustDocker(host, ["service", "rm", "web"]);
    await mesh.until("its containers are gone", patienceMs, async () => {
      return (await tasksOf(mesh, "web")).length === 0;
    });
    const { answered, sent } = await load.result();
    assert.deepEqual([answered, sent], [0, held]);
  });

  /** Connections to port 80 that are open in a container. */
  function openAt({ host: on, pid }: { readonly host: Host; readonly pid: number }): number {
    const lines = readFileSync(on.path(`/proc/${pid}/net/tcp`), "utf8").split("\n");
    return lines.filter((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      return state === established && local.endsWith(port80);
    }).length;
  }
});
