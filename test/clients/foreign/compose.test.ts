/** docker-compose 1.29, as Debian has it: plain containers of one host that take part in the cluster's networks. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Ran } from "../support/run-program.ts";
import { ClientCluster, labUnavailable, missingProgram } from "./support/client-cluster.ts";

const skip = labUnavailable() ?? (await missingProgram("docker-compose", ["version"]));
const number = 98;
const withinMs = 120_000;

const file = `version: "3.8"
services:
  app:
    image: gam/test:1
    command: idle
    environment: {GREETING: hello}
    networks: [default, shared]
  one:
    image: gam/test:1
    command: idle
    networks: [shared]
networks:
  shared:
    external: true
    name: composed
`;

describe("docker-compose", { skip, timeout: 3 * withinMs }, () => {
  let up: ClientCluster;
  let folder: string;
  before(async () => {
    up = await ClientCluster.up(number);
    folder = mkdtempSync(join(tmpdir(), "gam-compose-"));
    writeFileSync(join(folder, "docker-compose.yml"), file);
    const host = up.cluster.lab.host(1);
    const network = { Name: "composed", Driver: "overlay", Attachable: true };
    await up.cluster.call(host, "POST", "/networks/create", network);
    await up.cluster.createService(host, "web", 2, { Networks: [{ Target: "composed" }] });
    await up.cluster.running(host, "web", 2);
  });
  after(async () => {
    await up?.down();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  const compose = (...args: readonly string[]): Promise<Ran> =>
    up.run("docker-compose", ["--project-name", "tried", ...args], { withinMs, cwd: folder });
  const must = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await compose(...args);
    assert.equal(code, 0, `${out}${err}`);
    return out;
  };

  test("config", async () => {
    assert.match(await must("config"), /GREETING: hello/);
  });

  test("up", async () => {
    await must("up", "--detach");
  });

  test("up again changes nothing", async () => {
    const { code, err } = await compose("up", "--detach");
    assert.equal(code, 0, err);
    assert.match(err, /tried_app_1 is up-to-date/);
  });

  test("ps", async () => {
    const out = await must("ps");
    assert.match(out, /tried_app_1 .* Up/);
    assert.match(out, /tried_one_1 .* Up/);
  });

  test("exec", async () => {
    assert.equal((await must("exec", "-T", "app", "sh", "-c", "echo $GREETING")).trim(), "hello");
  });

  test("exec passes on the exit code", async () => {
    const { code } = await compose("exec", "-T", "app", "sh", "-c", "exit 7");
    assert.equal(code, 7);
  });

  for (const service of ["app", "one"]) {
    test(`${service} resolves a service of the cluster`, async () => {
      const out = await must("exec", "-T", service, "nslookup", "web");
      assert.match(out, /Address.*10\.\d+\.\d+\.\d+/);
    });
  }

  test("a service of compose is resolved in the cluster's network", async () => {
    assert.match(await must("exec", "-T", "one", "nslookup", "app"), /Address.*10\./);
  });

  test("scale", async () => {
    await must("up", "--detach", "--scale", "one=2");
    assert.match(await must("ps"), /tried_one_2 .* Up/);
  });

  test("logs", async () => {
    await must("logs", "--no-color");
  });

  test("stop and start", async () => {
    await must("stop", "--timeout", "1", "app");
    await must("start", "app");
    assert.equal((await must("exec", "-T", "app", "sh", "-c", "echo $GREETING")).trim(), "hello");
  });

  test("down leaves the cluster's network and services alone", async () => {
    await must("down", "--timeout", "1");
    const host = up.cluster.lab.host(1);
    await up.cluster.call(host, "GET", "/networks/composed");
    await up.cluster.running(host, "web", 2);
  });
});
