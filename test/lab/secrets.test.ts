/**
 * Secrets and configs on real hosts: they reach exactly the containers that use them, and nothing else.
 *
 * Two managers and two workers. The second worker never has a task with a secret: marks that were planted in the
 * secrets and in a registry's password are looked for on its disk and in its memory, and in all logs, on all disks
 * and on the switch. The tests are in order: each begins with the state that the one before leaves.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh, type Place } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";
import { marksInFile, marksInMemory, marksOnDisk } from "./clusters/traces.ts";
import { makeRegistryImage } from "./load/private-registry.ts";

const skip = labUnavailable({ tcpdump: "tcpdump" }) ?? false;
const number = 68;
const patienceMs = 60_000;
const port = 5000;
const filesDir = "/run/gam-files";

const aMark = (what: string): string => `mark-of-${what}-${randomBytes(12).toString("hex")}`;
const [key, pass, newPass, password] = ["key", "pass", "new-pass", "password"].map(aMark) as [
  string,
  string,
  string,
  string,
];
const marks = [key, pass, newPass, password];

describe("secrets and configs of two managers and two workers", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-lab-secrets-"));
  const frames = join(folder, "frames.pcap");
  const stack = join(folder, "stack.yml");
  let lab: Lab;
  let mesh: LabMesh;
  let endCapture: () => Promise<void>;
  let boss: Host;
  let worker: Host;
  let idler: Host;

  before(async () => {
    lab = await Lab.up({ hosts: 4, number, agents: true });
    [boss, worker, idler] = [lab.host(1), lab.host(3), lab.host(4)];
    await lab.host(1).gam(["init"]);
    endCapture = await lab.capture(frames);
    for (const [host, role] of [
      [2, "manager"],
      [3, "worker"],
      [4, "worker"],
    ] as const) {
      const token = await gam(boss, "token", "--role", role);
      await gam(lab.host(host), "join", token);
    }
    mesh = await LabMesh.of(lab);
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true, force: true });
  });

  test("secrets and configs are files of each container, with their owner, mode and place", async () => {
    await mustDocker(boss, ["secret", "create", "key", "-"], { input: key });
    await mustDocker(lab.host(2), ["config", "create", "conf", "-"], { input: "a config" });
    await mustDocker(boss, ["config", "create", "run", "-"], {
      input: "#!/bin/sh\necho it runs\n",
    });
    const template = '{{.Node.Hostname}} {{.Service.Name}} {{env "LEVEL"}} {{secret "key"}}';
    const driver = ["--template-driver", "golang"];
    await mustDocker(boss, ["config", "create", ...driver, "tmpl", "-"], { input: template });
    const files = [
      ["--secret", "key"],
      ["--secret", "source=key,target=/etc/app/key,uid=1000,gid=33,mode=0400"],
      ["--config", "conf"],
      ["--config", "source=conf,target=/etc/app/conf,uid=65534,gid=65534,mode=0640"],
      ["--config", "source=run,target=/opt/run,mode=0555"],
      ["--config", "source=tmpl,target=/etc/tmpl", "--env", "LEVEL=debug"],
    ].flat();
    const place = ["--mode", "global", "--constraint", "node.hostname != host4", "--read-only"];
    await mustDocker(boss, [
      "service",
      "create",
      "-d",
      "--name",
      "app",
      ...place,
      ...files,
      "gam/test:1",
    ]);
    await mesh.running(boss, "app", 3);
    const places = await mesh.places("app");
    assert.deepEqual(places.map(({ host }) => host).sort(), [1, 2, 3]);
    for (const one of places) {
      const script = `
        stat -c '%u %g %a %n' /run/secrets/key /etc/app/key /conf /etc/app/conf /opt/run
        cat /run/secrets/key /etc/app/key; echo
        cat /conf /etc/app/conf; echo
        cat /etc/tmpl; echo
        /opt/run
        echo x 2>/dev/null >/run/secrets/key || echo read-only`;
      assert.deepEqual((await inside(one, script)).split("\n"), [
        "0 0 444 /run/secrets/key",
        "1000 33 400 /etc/app/key",
        "0 0 444 /conf",
        "65534 65534 640 /etc/app/conf",
        "0 0 555 /opt/run",
        `${key}${key}`,
        "a configa config",
        `host${one.host} app debug ${key}`,
        "it runs",
        "read-only",
      ]);
      const host = lab.host(one.host);
      const inspected = await mustDocker(host, ["inspect", one.container], { engine: true });
      assert.ok(!inspected.includes(key), "docker inspect shows the secret");
      const type = await host.exec(["stat", "-f", "-c", "%T", `${filesDir}/${one.task}`]);
      assert.deepEqual([type.stdout.trim(), filesOf(host)], ["tmpfs", [one.task]]);
    }
    assert.deepEqual(filesOf(idler), []);
  });

  test("an agent that was killed adopts containers with their files, and deletes what was left", async () => {
    const before = await mesh.places("app");
    await worker.killAgent("SIGKILL");
    mkdirSync(worker.path(`${filesDir}/left`));
    await worker.startAgent();
    await mesh.until("the worker is back", patienceMs, async () => {
      return !filesOf(worker).includes("left") && (await mesh.countRunning(boss, "app")) === 3;
    });
    assert.deepEqual(await mesh.places("app"), before);
    const own = before.find(({ host }) => host === 3);
    assert.ok(own !== undefined);
    assert.equal(await inside(own, "cat /run/secrets/key"), key);
    assert.deepEqual(filesOf(worker), [own.task]);
  });

  test("a changed secret reaches every container by stack deploy, and the old one none", async () => {
    const deploy = async (text: string): Promise<void> => {
      writeFileSync(join(folder, "pass.txt"), text);
      await mustDocker(lab.host(2), ["stack", "deploy", "--detach=true", "-c", stack, "shop"]);
    };
    writeFileSync(stack, stackText);
    await deploy(pass);
    await mesh.running(boss, "shop_web", 3);
    const first = await mesh.places("shop_web");
    assert.deepEqual([...new Set(first.map(({ host }) => host))].sort(), [1, 2, 3]);
    for (const one of first) assert.equal(await inside(one, "cat /run/secrets/pass"), pass);

    await deploy(pass);
    await deploy(newPass);
    await mesh.until("every container has the new secret", patienceMs, async () => {
      const places = await mesh.places("shop_web");
      const running = places.filter(({ task }) => !first.some((old) => old.task === task));
      return running.length === 3 && (await mesh.countRunning(boss, "shop_web")) === 3;
    });
    const places = await running(mesh, "shop_web");
    for (const one of places) assert.equal(await inside(one, "cat /run/secrets/pass"), newPass);

    await deploy(newPass);
    assert.deepEqual(
      await running(mesh, "shop_web"),
      places,
      "without a change no task is touched",
    );
    for (const host of lab.hosts) {
      const tasks = filesOf(host);
      assert.ok(!first.some(({ task }) => tasks.includes(task)), `${host.name} has an old secret`);
    }
  });

  test("a private image is pulled with the credentials of the service", async () => {
    await makeRegistryImage(join(folder, "registry"));
    const script = fileURLToPath(new URL("./load/private-registry.ts", import.meta.url));
    const words = [process.execPath, script, join(folder, "registry"), `${port}`, "bob", password];
    const registry = await worker.spawn("registry", words);
    const config = { auths: { [`127.0.0.1:${port}`]: { auth: base64(`bob:${password}`) } } };
    mkdirSync(join(boss.folder, "home/.docker"), { recursive: true });
    writeFileSync(join(boss.folder, "home/.docker/config.json"), JSON.stringify(config));
    const create = [
      "service",
      "create",
      "-d",
      "--no-resolve-image",
      "--constraint",
      "node.hostname==host3",
    ];
    const image = `127.0.0.1:${port}/gam/private:1`;
    await mustDocker(boss, [...create, "--name", "open", image]);
    await mesh.until("it is refused without credentials", patienceMs, async () => {
      const tasks = await mesh.tasks(boss, "open");
      return tasks.some(({ Status }) => Status.State === "rejected" && Status.Err?.includes(image));
    });
    await mustDocker(boss, ["service", "rm", "open"]);
    await mustDocker(boss, [...create, "--name", "private", "--with-registry-auth", image]);
    await mesh.running(boss, "private", 1);
    registry.kill("SIGKILL");
  });

  test("the planted marks are in no log, on no disk, on no line and not in other memory", async () => {
    await endCapture();
    const found = [
      ...marksInFile(frames, marks),
      ...lab.hosts.flatMap(({ folder }) => marksOnDisk(join(folder, "gam"), marks)),
      ...lab.hosts.flatMap(({ folder }) => marksOnDisk(join(folder, "logs"), marks)),
      ...lab.hosts.flatMap(({ folder }) => marksOnDisk(join(folder, "docker/containers"), marks)),
      ...marksInMemory(pidOf(idler), marks),
    ];
    assert.deepEqual(found, []);
    assert.ok(marksInMemory(pidOf(boss), marks).length > 0, "a mark in memory is found");
  });

  test("files are gone with the last task that used them", async () => {
    await mustDocker(boss, ["service", "rm", "app", "shop_web", "private"]);
    await mesh.until("no host has files", patienceMs, async () =>
      lab.hosts.every((host) => filesOf(host).length === 0),
    );
    await mustDocker(lab.host(2), ["secret", "rm", "key", "shop_pass"]);
    await mustDocker(lab.host(2), ["config", "rm", "conf", "run", "tmpl"]);
    await gam(idler, "leave");
    await gam(worker, "leave");
    assert.ok(!existsSync(worker.path(filesDir)));
  });

  async function inside({ host, container }: Place, script: string): Promise<string> {
    return await mustDocker(lab.host(host), ["exec", container, "sh", "-c", script], {
      engine: true,
    });
  }
});

const stackText = `
services:
  web:
    image: gam/test:1
    secrets: [pass]
    deploy:
      replicas: 3
      placement: { max_replicas_per_node: 1, constraints: [node.hostname != host4] }
      update_config: { parallelism: 1, monitor: 0s }
secrets:
  pass: { file: ./pass.txt }
`;

/** The tasks that have files on the host. */
function filesOf(host: Host): string[] {
  const path = host.path(filesDir);
  return existsSync(path) ? readdirSync(path) : [];
}

function pidOf(host: Host): number {
  const { agentPid } = host;
  if (agentPid === undefined) throw new LabError(`The agent of ${host.name} does not run`);
  return agentPid;
}

async function running(mesh: LabMesh, service: string): Promise<Place[]> {
  const tasks = await mesh.tasks(mesh.lab.host(1), service);
  const ids = tasks.filter(({ Status }) => Status.State === "running").map(({ ID }) => ID);
  return (await mesh.places(service)).filter(({ task }) => ids.includes(task));
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function gam(host: Host, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await host.gam(args);
  if (code !== 0)
    throw new LabError(`Cannot run "gam ${args.join(" ")}" at ${host.name}: ${stderr}`);
  return stdout.trim();
}
