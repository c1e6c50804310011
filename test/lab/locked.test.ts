/**
 * A manager that is locked when it starts: the others go on without it, its containers run on, and it takes part again
 * once it is unlocked.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";

const skip = labUnavailable() ?? false;
const number = 17;
/** Only ends a test that would never end. */
const patienceMs = 60_000;
const mark = "planted-mark-of-an-environment";

describe("three managers that are locked when they start", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let key: string;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    await docker(lab.host(1), "network", "create", "-d", "overlay", "front");
    const place = ["--mode", "global", "--network", "front"];
    const created = ["service", "create", "-d", "--name", "web", ...place];
    await docker(lab.host(1), ...created, "--env", `MARK=${mark}`, "gam/test:1");
    await mesh.running(lab.host(1), "web", 3);
    const said = await docker(lab.host(1), "swarm", "update", "--autolock");
    key = /SWMKEY-1-\S+/.exec(said)?.[0] ?? "";
    assert.notEqual(key, "", said);
    for (const host of lab.hosts) {
      await mesh.until("every manager shows the key", patienceMs, async () => {
        return (await docker(host, "swarm", "unlock-key", "-q")).trim() === key;
      });
    }
  });
  after(async () => {
    await Lab.down(number);
  });

  test("no secret is readable in a data directory whose agent is stopped", async () => {
    const host = lab.host(3);
    const token = (await docker(host, "swarm", "join-token", "-q", "manager")).trim();
    const secrets = [mark, key.slice("SWMKEY-1-".length), token.split("-")[3] ?? ""];
    await host.killAgent("SIGKILL");
    const folder = join(host.folder, "gam");
    const files = readdirSync(folder, { recursive: true, withFileTypes: true });
    const contents = files.flatMap((file) =>
      file.isFile() && file.name !== "agent.log"
        ? [readFileSync(join(file.parentPath, file.name))]
        : [],
    );
    assert.ok(contents.some(({ length }) => length > 10_000));
    for (const secret of secrets) {
      assert.ok(secret.length > 20);
      assert.ok(contents.every((bytes) => !bytes.includes(secret)));
    }
  });

  test("a container of a locked manager runs on, and is adopted when the manager is unlocked", async () => {
    const host = lab.host(3);
    const containers = (): Promise<string> => engineDocker(host, "ps", "-q", "--no-trunc");
    const before = await containers();
    assert.notEqual(before, "");
    await host.startAgent();
    assert.match(await docker(host, "info", "--format", "{{.Swarm.LocalNodeState}}"), /^locked/);
    assert.match((await host.gam(["status"])).stdout, /This host is locked.*\n.*gam unlock/);
    assert.match((await host.gam(["doctor"])).stderr, /needs to be unlocked/);
    assert.match((await host.docker(["node", "ls"])).stderr, /docker swarm unlock/);
    assert.equal(await containers(), before);
    const [container = ""] = before.split("\n");
    const found = await engineDocker(host, "exec", container, "nslookup", "tasks.web");
    assert.equal(found.match(/Address.*10\.0\./g)?.length, 3, `of the last plan: ${found}`);
    await unlock(host);
    await mesh.ready(lab.host(1), 3, patienceMs);
    await mesh.running(lab.host(1), "web", 3);
    assert.equal(await containers(), before);
  });

  test("a host that lost power comes back locked, the others write meanwhile, and it catches up", async () => {
    const host = lab.host(3);
    await host.kill();
    await mesh.running(lab.host(1), "web", 2, [3]);
    await mesh.powerOn(host);
    const status = await host.gam(["status"]);
    assert.match(status.stdout, /This host is locked/);
    // The host has kept its key of before: it was away when the key changed.
    await docker(lab.host(1), "swarm", "unlock-key", "--rotate");
    const { stdout } = await lab.host(1).gam(["status"]);
    assert.match(stdout, /Managers are locked when they start; this host does not hear host3/);
    const wrong = (await docker(lab.host(1), "swarm", "unlock-key", "-q")).trim();
    const refused = await host.docker(["swarm", "unlock"], { input: `${wrong}\n` });
    assert.match(refused.stderr, /swarm could not be unlocked: invalid key provided/);
    await unlock(host);
    await mesh.ready(lab.host(1), 3, patienceMs);
    await mesh.running(lab.host(3), "web", 3);
    await docker(host, "service", "update", "-d", "--label-add", "a=b", "web");
    key = (await docker(host, "swarm", "unlock-key", "-q")).trim();
    assert.equal(key, wrong);
  });

  async function unlock(host: Host): Promise<void> {
    const { code, stderr } = await host.docker(["swarm", "unlock"], { input: `${key}\n` });
    assert.equal(code, 0, stderr);
  }
});

async function docker(host: Host, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.docker(args);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function engineDocker(host: Host, ...args: string[]): Promise<string> {
  return (await host.docker(args, { engine: true })).stdout;
}
