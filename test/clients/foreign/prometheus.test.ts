/** Prometheus finds its targets by "dockerswarm_sd_configs": services, tasks and nodes. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort } from "@gam/core/testing";
import { ClientCluster, labUnavailable, missingProgram } from "./support/client-cluster.ts";

const skip = labUnavailable() ?? (await missingProgram("prometheus", ["--version"]));
const number = 95;
const withinMs = 120_000;

interface Target {
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly scrapePool: string;
}

describe("Prometheus", { skip, timeout: 2 * withinMs }, () => {
  let up: ClientCluster;
  let folder: string;
  let prometheus: ChildProcess | undefined;
  let port: number;
  before(async () => {
    up = await ClientCluster.up(number);
    folder = mkdtempSync(join(tmpdir(), "gam-prometheus-"));
    const host = up.cluster.lab.host(1);
    await up.cluster.createService(host, "prom", 2, {
      Labels: { team: "blue" },
      EndpointSpec: { Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 18280 }] },
    });
    await up.cluster.running(host, "prom", 2);
    const jobs = ["services", "tasks", "nodes"].map((role) => ({
      job_name: role,
      // The targets are only looked at: nothing answers there.
      scrape_interval: "1h",
      scrape_timeout: "1s",
      dockerswarm_sd_configs: [
        { host: `unix://${up.socketPath}`, role, refresh_interval: "1s", port: 9100 },
      ],
    }));
    // YAML reads JSON.
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify({ scrape_configs: jobs }));
    port = await freePort();
    prometheus = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
  });
  after(async () => {
    if (prometheus !== undefined) {
      const ended = new Promise((settle) => prometheus?.once("exit", settle));
      prometheus.kill();
      await ended;
    }
    await up?.down();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  /** The discovered labels of a role's targets, once there are so many. */
  async function discovered(role: string, count: number): Promise<Target["discoveredLabels"][]> {
    let found: Target[] = [];
    const what = (): string => `${count} targets of ${role} (now ${found.length})`;
    await up.cluster.until(what, withinMs, async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/targets`).catch(() => undefined);
      if (answer === undefined || !answer.ok) return false;
      const { data } = (await answer.json()) as { data: { activeTargets: Target[] } };
      found = data.activeTargets.filter(({ scrapePool }) => scrapePool === role);
      return found.length >= count;
    });
    return found.map(({ discoveredLabels }) => discoveredLabels);
  }

  test("nodes", async () => {
    const nodes = await discovered("nodes", 3);
    assert.equal(nodes.length, 3);
    for (const node of nodes) {
      assert.equal(node.__meta_dockerswarm_node_status, "ready");
      assert.equal(node.__meta_dockerswarm_node_availability, "active");
      assert.match(node.__address__ ?? "", /:9100$/);
    }
  });

  test("a service has a target for each of its addresses", async () => {
    const services = await discovered("services", 1);
    for (const service of services) {
      assert.equal(service.__meta_dockerswarm_service_name, "prom");
      assert.equal(service.__meta_dockerswarm_service_label_team, "blue");
      assert.equal(service.__meta_dockerswarm_service_mode, "replicated");
      assert.equal(service.__meta_dockerswarm_network_name, "ingress");
      assert.equal(service.__meta_dockerswarm_service_endpoint_port_name ?? "", "");
      assert.match(service.__address__ ?? "", /^\d+\.\d+\.\d+\.\d+:18280$/);
    }
  });

  test("each task has a target", async () => {
    const tasks = await discovered("tasks", 2);
    const slots = tasks.map(({ __meta_dockerswarm_task_slot: slot }) => slot).sort();
    assert.deepEqual(slots, ["1", "2"]);
    for (const task of tasks) {
      assert.equal(task.__meta_dockerswarm_service_name, "prom");
      assert.equal(task.__meta_dockerswarm_task_state, "running");
      assert.equal(task.__meta_dockerswarm_task_desired_state, "running");
      assert.ok(task.__meta_dockerswarm_node_hostname);
    }
  });
});
