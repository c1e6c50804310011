/** A changed secret on real hosts: the services that use it roll, and return together if one of them fails. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 11;
const patienceMs = 90_000;

/** The web service cannot start with a secret that says "bad"; the api can. */
const stackText = `
services:
  web:
    image: gam/test:1
    entrypoint: ["sh", "-c", "if grep -q bad /run/secrets/pw; then exit 1; fi; exec sleep 3600"]
    secrets: [pw]
    deploy:
      replicas: 2
      update_config: { parallelism: 1, monitor: 2s, failure_action: rollback }
      rollback_config: { parallelism: 0, monitor: 1s }
      restart_policy: { condition: any, delay: 1s }
  api:
    image: gam/test:1
    entrypoint: ["sleep", "3600"]
    secrets: [pw]
    deploy: { replicas: 2, update_config: { parallelism: 1, monitor: 1s, failure_action: rollback } }
secrets:
  pw: { file: ./pw.txt }
`;

describe("a changed secret of two services on three hosts", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-lab-roll-"));
  const stack = join(folder, "stack.yml");
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;

  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    await lab.host(1).gam(["init"]);
    const { stdout: token } = await lab.host(1).gam(["token", "--role", "manager"]);
    for (const host of [2, 3]) await lab.host(host).gam(["join", token.trim()]);
    mesh = await LabMesh.of(lab);
    asked = lab.host(2);
    writeFileSync(stack, stackText);
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true, force: true });
  });

  const deploy = async (text: string): Promise<void> => {
    writeFileSync(join(folder, "pw.txt"), text);
    await mustDocker(asked, ["stack", "deploy", "--detach=true", "-c", stack, "shop"]);
  };
  const updateOf = async (service: string): Promise<string> => {
    const format = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}";
    return await mustDocker(asked, ["service", "inspect", service, "--format", format]);
  };
  const secretsIn = async (service: string): Promise<string[]> => {
    const places = await mesh.places(service);
    const texts = places.map(async ({ host, container }) => {
      const args = ["exec", container, "cat", "/run/secrets/pw"];
      return await mustDocker(lab.host(host), args, { engine: true });
    });
    return await Promise.all(texts);
  };

  test("new content reaches all services, each by its own update", async () => {
    await deploy("first");
    for (const service of ["shop_web", "shop_api"]) await mesh.running(asked, service, 2);
    await deploy("second");
    await mesh.until("both have rolled", patienceMs, async () => {
      const states = await Promise.all(["shop_web", "shop_api"].map(updateOf));
      return states.every((state) => state === "completed");
    });
    for (const service of ["shop_web", "shop_api"]) {
      await mesh.running(asked, service, 2);
      assert.deepEqual([...new Set(await secretsIn(service))], ["second"], service);
    }
  });

  test("content that breaks one service takes both, and the secret, back", async () => {
    await deploy("bad");
    await mesh.until("both are back", patienceMs, async () => {
      const states = await Promise.all(["shop_web", "shop_api"].map(updateOf));
      return states.every((state) => state === "rollback_completed");
    });
    for (const service of ["shop_web", "shop_api"]) {
      await mesh.running(asked, service, 2);
      assert.deepEqual([...new Set(await secretsIn(service))], ["second"], service);
    }
    const { Spec } = JSON.parse(
      await mustDocker(asked, ["secret", "inspect", "shop_pw", "--format", "{{json .}}"]),
    );
    assert.equal(Spec.Data, undefined);
    await deploy("third");
    await mesh.until("both have the third", patienceMs, async () => {
      const found = await Promise.all(["shop_web", "shop_api"].map(updateOf));
      return found.every((state) => state === "completed");
    });
    assert.deepEqual([...new Set(await secretsIn("shop_web"))], ["third"]);
  });
});
