/**
 * Pods on real engines: a web server, a part that reads it by localhost, and an init container, through ends of
 * containers, updates and the loss of a host.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 77;
/** Only ends a test that would never end. */
const patienceMs = 300_000;
const replicas = 2;
const file = `
services:
  reader:
    image: "gam/test:1"
    network_mode: service:web
  web:
    image: "gam/test:1"
    command: ["serve", "80"]
    ports: ["8090:80"]
    deploy: {replicas: ${replicas}}
  prepare:
    image: "gam/test:1"
    command: ["true"]
    deploy:
      restart_policy: {condition: on-failure, delay: 1s}
      labels: {gam.pod: web, gam.pod.role: init}
`;
const byLabel = `
version: "3.8"
services:
  reader:
    image: "gam/test:1"
    deploy: {labels: {gam.pod: web, gam.pod.role: sidecar}}
  web:
    image: "gam/test:1"
    command: ["serve", "80"]
`;

interface Container {
  readonly Id: string;
  readonly State: { readonly StartedAt: string; readonly FinishedAt: string };
  readonly HostConfig: { readonly NetworkMode: string };
}

interface FoundPod {
  readonly host: Host;
  readonly web: Container;
  readonly reader: Container;
}

describe("pods on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    for (const host of lab.hosts) {
      writeFileSync(join(host.folder, "home", "pods.yml"), file);
      writeFileSync(join(host.folder, "home", "label.yml"), byLabel);
    }
  });
  after(async () => {
    await Lab.down(number);
  });

  test("gam stack deploy starts the init container, the main one and the part that reads it", async () => {
    const host = lab.host(1);
    const path = join(host.folder, "home", "pods.yml");
    const words = ["stack", "deploy", "--resolve-image", "never", "-c", path, "shop"];
    const { code, stdout, stderr } = await host.gam(words, { timeoutMs: patienceMs });
    assert.equal(code, 0, `${stdout}${stderr}`);
    for (const { host: on, web } of await whole("shop", lab.hosts)) {
      const inits = await containers(on, "shop_prepare", ["-a"]);
      const ended = inits.map(({ State }) => Date.parse(State.FinishedAt));
      const start = Date.parse(web.State.StartedAt);
      assert.ok(
        ended.some((ms) => ms <= start),
        "the init container ended before the main one started",
      );
    }
    const format = ["--format", "{{.Name}} {{.Replicas}}"];
    const lines = await mustDocker(lab.host(2), ["service", "ls", ...format]);
    const want = ["shop_prepare 0/0", "shop_reader 2/2", "shop_web 2/2"];
    assert.deepEqual(lines.split("\n").filter(Boolean).sort(), want);
    const url = `http://${lab.host(3).address}:8090/`;
    const { code: got, stdout: body } = await lab
      .host(3)
      .exec(["busybox", "wget", "-q", "-O", "-", url]);
    assert.equal(got, 0, "the published port leads to the pods");
    assert.match(body, /^[0-9a-f]{12}$/m);
  });

  test("what cannot be is refused with what to do", async () => {
    const create = (...options: string[]) => {
      const words = ["service", "create", "--detach", "--no-resolve-image", ...options];
      return lab.host(2).docker([...words, "gam/test:1"]);
    };
    const port = await create("--name", "x", "--label", "gam.pod=shop_web", "-p", "81:81");
    assert.match(port.stderr, /ports of a part .* cannot be published: publish them at "shop_web"/);
    const chain = await create("--name", "x", "--label", "gam.pod=shop_reader");
    assert.match(chain.stderr, /service shop_reader is itself a part of the pod of web/);
    const mode = await create("--name", "x", "--label", "gam.pod=shop_web", "--mode", "global");
    assert.match(mode.stderr, /it is global and that is replicated: use the same mode/);
  });

  test("when the main container ends, the whole pod is started again", async () => {
    const before = await whole("shop", lab.hosts);
    const [hit] = before;
    assert.ok(hit !== undefined);
    const beganMs = Date.now();
    await mustDocker(hit.host, ["kill", hit.web.Id], { engine: true });
    const now = await whole(
      "shop",
      lab.hosts,
      (pods) => !pods.some(({ web }) => web.Id === hit.web.Id),
    );
    console.log(
      `a pod whose main container was killed is whole again after ${Date.now() - beganMs} ms`,
    );
    const readers = now.map(({ reader }) => reader.Id);
    assert.ok(!readers.includes(hit.reader.Id), "its part was replaced as well");
    const other = before.find((pod) => pod !== hit);
    assert.ok(
      now.some(({ web, reader }) => web.Id === other?.web.Id && reader.Id === other.reader.Id),
    );
  });

  test("when a part ends, only that part is started again", async () => {
    const before = await whole("shop", lab.hosts);
    const [hit] = before;
    assert.ok(hit !== undefined);
    await mustDocker(hit.host, ["kill", hit.reader.Id], { engine: true });
    const isNew = (pods: FoundPod[]): boolean =>
      !pods.some((pod) => pod.reader.Id === hit.reader.Id);
    const now = await whole("shop", lab.hosts, isNew);
    assert.deepEqual(idsOf(now, "web"), idsOf(before, "web"));
  });

  test("with together, the end of a part starts the whole pod again", async () => {
    const update = ["service", "update", "--detach", "--no-resolve-image"];
    const label = "gam.pod.restart";
    await mustDocker(lab.host(2), [...update, "--label-add", `${label}=together`, "shop_reader"]);
    const before = await whole("shop", lab.hosts);
    const [hit] = before;
    assert.ok(hit !== undefined);
    await mustDocker(hit.host, ["kill", hit.reader.Id], { engine: true });
    const isNew = (pods: FoundPod[]): boolean => !idsOf(pods, "web").includes(hit.web.Id);
    const now = await whole("shop", lab.hosts, isNew);
    assert.ok(!idsOf(now, "reader").includes(hit.reader.Id));
    await mustDocker(lab.host(2), [...update, "--label-rm", label, "shop_reader"]);
  });

  test("an update of a part leaves the main containers, one of the main service replaces whole pods", async () => {
    const before = await whole("shop", lab.hosts);
    const update = ["service", "update", "--detach", "--no-resolve-image", "--force"];
    await mustDocker(lab.host(2), [...update, "shop_reader"]);
    const isNew =
      (of: "web" | "reader", old: FoundPod[]) =>
      (pods: FoundPod[]): boolean => {
        return pods.every((pod) => !idsOf(old, of).includes(pod[of].Id));
      };
    const second = await whole("shop", lab.hosts, isNew("reader", before));
    assert.deepEqual(idsOf(second, "web"), idsOf(before, "web"));
    const inits = await completed("shop_prepare");
    await mustDocker(lab.host(2), [...update, "shop_web"]);
    const third = await whole("shop", lab.hosts, isNew("web", second));
    assert.ok(isNew("reader", second)(third));
    const later = await completed("shop_prepare");
    assert.ok(
      later.filter((id) => !inits.includes(id)).length >= replicas,
      "init containers ran again",
    );
  });

  test("when a host is lost, its pods are started elsewhere, whole", async () => {
    const before = await whole("shop", lab.hosts);
    const [hit] = before.filter(({ host }) => host !== lab.host(2));
    assert.ok(hit !== undefined);
    const beganMs = Date.now();
    await hit.host.kill();
    const left = lab.hosts.filter((host) => host !== hit.host);
    await whole("shop", left);
    console.log(`the pods of a lost host are whole elsewhere after ${Date.now() - beganMs} ms`);
    await mesh.powerOn(hit.host);
    await mesh.ready(lab.host(2), 3, patienceMs);
    await whole("shop", lab.hosts);
  });

  test("an init container that fails holds the pod, and gam says so", async () => {
    const update = ["service", "update", "--detach", "--no-resolve-image"];
    const asked = lab.host(2);
    await mustDocker(asked, [...update, "--args", "false", "shop_prepare"]);
    await mustDocker(asked, [...update, "--force", "shop_web"]);
    await mesh.until("a main task waits for its init container", patienceMs, async () => {
      const format = ["--no-trunc", "--format", "{{.CurrentState}} {{.Error}}"];
      const lines = await mustDocker(asked, ["service", "ps", ...format, "shop_web"]);
      return /^Ready .*waits for init container shop_prepare to complete/m.test(lines);
    });
    const { stdout } = await asked.gam(["why", "shop_web"]);
    assert.match(stdout, /waits for init container shop_prepare to complete/);
    const failed = await mustDocker(asked, [
      "service",
      "ps",
      "--format",
      "{{.Error}}",
      "shop_prepare",
    ]);
    assert.match(failed, /non-zero exit \(1\)/);
    await mustDocker(asked, [...update, "--args", "true", "shop_prepare"]);
    await whole("shop", lab.hosts);
  });

  test("the label alone makes a pod, by the unmodified docker client", async () => {
    const host = lab.host(3);
    const path = join(host.folder, "home", "label.yml");
    await mustDocker(host, ["stack", "deploy", "--resolve-image", "never", "-c", path, "box"]);
    await whole("box", lab.hosts, (pods) => pods.length === 1, 1);
    await mustDocker(host, ["service", "scale", "--detach", "box_web=3"]);
    await whole("box", lab.hosts, (pods) => pods.length === 3, 3);
    await mustDocker(host, ["service", "rm", "box_web"]);
    await mesh.until("the part leaves with its main service", patienceMs, async () => {
      const found = await Promise.all(lab.hosts.map((one) => containers(one, "box_reader")));
      return found.flat().length === 0;
    });
    const { stdout } = await host.gam(["why", "box_reader"]);
    assert.match(stdout, /runs with the tasks of service web, which does not exist/);
  });

  function idsOf(pods: readonly FoundPod[], of: "web" | "reader"): string[] {
    return pods.map((pod) => pod[of].Id).sort();
  }

  async function completed(service: string): Promise<string[]> {
    const format = [
      "service",
      "ps",
      "--no-trunc",
      "--format",
      "{{.ID}} {{.CurrentState}}",
      service,
    ];
    const lines = await mustDocker(lab.host(2), format);
    return lines
      .split("\n")
      .flatMap((line) => (/ Complete /.test(line) ? [line.split(" ")[0] ?? ""] : []));
  }

  /** Containers of a service on a host, as its engine has them. */
  async function containers(
    host: Host,
    name: string,
    options: string[] = [],
  ): Promise<Container[]> {
    const filter = ["--filter", `label=com.docker.swarm.service.name=${name}`];
    const { code, stdout } = await host.docker(["ps", "-q", ...options, ...filter], {
      engine: true,
    });
    const ids = code === 0 ? stdout.split("\n").filter((line) => line !== "") : [];
    if (ids.length === 0) return [];
    const inspected = await host.docker(["inspect", ...ids], { engine: true });
    return inspected.code === 0 ? (JSON.parse(inspected.stdout) as Container[]) : [];
  }

  /** Waits until there are so many pods, each whole: its part reads its web server by localhost. */
  async function whole(
    stack: string,
    hosts: readonly Host[],
    isDone: (pods: FoundPod[]) => boolean = () => true,
    count = replicas,
  ): Promise<FoundPod[]> {
    let pods: FoundPod[] = [];
    await mesh.until(`${count} pods of ${stack} are whole`, patienceMs, async () => {
      const found = await Promise.all(hosts.map((host) => podsOn(host, stack)));
      pods = found.flat();
      return pods.length === count && isDone(pods);
    });
    for (const { host, web, reader } of pods) {
      const wget = ["exec", reader.Id, "wget", "-q", "-O", "-", "http://127.0.0.1/"];
      const name = await mustDocker(host, wget, { engine: true });
      assert.equal(
        name.trim(),
        web.Id.slice(0, 12),
        "the part reads the main container of its own pod",
      );
    }
    return pods;
  }

  /** Empty while something of the stack on the host is in no whole pod. */
  async function podsOn(host: Host, stack: string): Promise<FoundPod[]> {
    const [webs, readers] = await Promise.all([
      containers(host, `${stack}_web`),
      containers(host, `${stack}_reader`),
    ]);
    if (webs.length !== readers.length) return [];
    const pods = webs.flatMap((web) => {
      const reader = readers.find((one) => one.HostConfig.NetworkMode === `container:${web.Id}`);
      return reader === undefined ? [] : [{ host, web, reader }];
    });
    return pods.length === webs.length ? pods : [];
  }
});
