/**
 * Images on real hosts, without any registry: an image that is on one host runs on all.
 *
 * The tests are in order: each begins with the state that the one before leaves.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";
import { makeLayeredImage } from "./load/layered-image.ts";

const skip = labUnavailable() ?? false;
const number = 40;
const patienceMs = 120_000;
const layerBytes = 4_000_000;
/** Headers of frames, the mesh's own messages, and a part for retransmissions. */
const overhead = 1.25;
const seeds = ["libraries", "runtime", "assets", "code"];

describe("images of four hosts without a registry", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-lab-images-"));
  const stack = join(folder, "stack.yml");
  let lab: Lab;
  let mesh: LabMesh;

  before(async () => {
    lab = await Lab.up({ hosts: 4, number, agents: true });
    mesh = await LabMesh.form(lab);
    writeFileSync(
      stack,
      "services:\n  web:\n    image: shop:1\n    stop_grace_period: 1s\n    deploy: { mode: global }\n",
    );
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true, force: true });
  });

  async function load(host: Host, name: string, seeds: readonly string[]): Promise<string> {
    const tar = await makeLayeredImage(join(folder, "image"), { name, seeds, layerBytes });
    await docker(host, "load", "-i", tar);
    rmSync(tar);
    return await docker(host, "image", "inspect", "-f", "{{.Id}}", name);
  }

  async function docker(host: Host, ...words: string[]): Promise<string> {
    return await mustDocker(host, words, { engine: true });
  }

  /** Bytes that have come to the host over the switch. */
  async function received(host: Host): Promise<number> {
    const { stdout } = await host.exec(["cat", "/proc/net/dev"]);
    return Number(/eth0:\s*(\d+)/.exec(stdout)?.[1]);
  }

  /** Repeats the question until it has an answer. */
  async function when<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    let answer: T | undefined;
    await mesh.until(what, patienceMs, async () => {
      answer = await ask();
      return answer !== undefined;
    });
    return answer as T;
  }

  interface Row {
    readonly id: string;
    readonly node: string;
    readonly image: string;
  }

  /** The tasks of a service that should run; undefined while some do not. */
  async function running(asked: Host, service: string): Promise<Row[] | undefined> {
    const format = ["--format", "{{.ID}} {{.Node}} {{.Image}} {{.CurrentState}}"];
    const words = ["service", "ps", "--no-trunc", "-f", "desired-state=running", ...format];
    const lines = (await mustDocker(asked, [...words, service])).split("\n").filter(Boolean);
    const rows = lines.map((line) => line.split(" "));
    if (rows.some(([, , , state]) => state !== "Running")) return undefined;
    return rows.map(([id = "", node = "", image = ""]) => ({ id, node, image }));
  }

  /** Waits until the service runs on these hosts, all with one image. Returns: the ids of the tasks. */
  async function runs(service: string, image: string, hosts: readonly Host[]): Promise<string[]> {
    const wanted = hosts.map(({ name }) => name).sort();
    return await when(`${service} runs ${image}`, async () => {
      const rows = (await running(lab.host(1), service)) ?? [];
      const isDone = rows.every((row) => row.image === image);
      const nodes = rows.map(({ node }) => node).sort();
      return isDone && nodes.join() === wanted.join() ? rows.map(({ id }) => id).sort() : undefined;
    });
  }

  let first = "";
  let tasks: string[] = [];

  test("a deploy at any host brings the image of one host to all, each layer once", async () => {
    const [builder, asked] = [lab.host(1), lab.host(2)];
    first = await load(builder, "shop:1", seeds);
    await when("the asked host knows of the image", async () => {
      const { nodes } = await mesh.call<{ nodes: { usage: { images: string[] } | null }[] }>(
        asked,
        "GET",
        "/gam/v1/status",
      );
      return nodes.some(({ usage }) => usage?.images.includes("shop:1")) || undefined;
    });
    const before = await Promise.all(lab.hosts.map(received));
    await mustDocker(asked, ["stack", "deploy", "-c", stack, "shop"]);
    tasks = await runs("shop_web", `shop:1@${first}`, lab.hosts);
    const after = await Promise.all(lab.hosts.map(received));
    for (const host of lab.hosts.slice(1)) {
      const bytes = (after[host.number - 1] ?? 0) - (before[host.number - 1] ?? 0);
      // The test image's layer is in each engine.
      assert.ok(bytes > layerBytes * seeds.length, `${host.name} got ${bytes} bytes`);
      assert.ok(bytes < layerBytes * seeds.length * overhead, `${host.name} got ${bytes} bytes`);
    }
    for (const host of lab.hosts) {
      const ids = await docker(host, "ps", "-q", "--no-trunc", "--filter", `ancestor=${first}`);
      assert.equal(ids.split("\n").length, 1, host.name);
    }
  });

  test("a deploy without a change, at another host, touches no task", async () => {
    await mustDocker(lab.host(3), ["stack", "deploy", "-c", stack, "shop"]);
    assert.deepEqual(await runs("shop_web", `shop:1@${first}`, lab.hosts), tasks);
  });

  test("a rebuilt image rolls, and only its new layer crosses", async () => {
    const second = await load(lab.host(1), "shop:1", [...seeds.slice(0, 3), "new code"]);
    assert.notEqual(second, first);
    const before = await Promise.all(lab.hosts.map(received));
    await mustDocker(lab.host(1), ["stack", "deploy", "-c", stack, "shop"]);
    await runs("shop_web", `shop:1@${second}`, lab.hosts);
    const after = await Promise.all(lab.hosts.map(received));
    for (const host of lab.hosts.slice(1)) {
      const bytes = (after[host.number - 1] ?? 0) - (before[host.number - 1] ?? 0);
      assert.ok(bytes > layerBytes && bytes < 2 * layerBytes, `${host.name} got ${bytes} bytes`);
    }
  });

  test("when a host is lost, its task gets the image elsewhere", async () => {
    const id = await load(lab.host(2), "lone:1", ["lone"]);
    const words = ["service", "create", "--detach", "--name", "lone", "--stop-grace-period", "1s"];
    await mustDocker(lab.host(2), [...words, "--constraint", "node.hostname!=host2", "lone:1"]);
    const place = await when(
      "lone runs",
      async () => (await running(lab.host(2), "lone"))?.[0]?.node,
    );
    const lost = lab.hosts.find(({ name }) => name === place);
    assert.ok(lost !== undefined);
    await lost.kill();
    const asked = lab.hosts.find((host) => host !== lost) as Host;
    const row = await when("lone runs elsewhere", async () => {
      const [row] = (await running(asked, "lone")) ?? [];
      return row?.node === place ? undefined : row;
    });
    assert.equal(row.image, `lone:1@${id}`);
    await mesh.powerOn(lost);
  });

  test("a host that sends a spoilt layer is named in the log, and the image comes from another", async () => {
    const [asker, taker] = [lab.host(3), lab.host(4)];
    const holders = [lab.host(1), lab.host(2)];
    const id = await load(lab.host(1), "twice:1", ["one", "two"]);
    await load(lab.host(2), "twice:1", ["one", "two"]);
    const words = [
      "service",
      "create",
      "--detach",
      "--stop-grace-period",
      "1s",
      "--mode",
      "global",
    ];
    const deploy = async (name: string, host: Host): Promise<void> => {
      const place = ["--name", name, "--constraint", `node.hostname==${host.name}`];
      await mustDocker(lab.host(1), [...words, ...place, "twice:1"]);
      await runs(name, `twice:1@${id}`, [host]);
    };
    await deploy("once", taker);
    // One of the two hosts has taken the layers out of its engine. The other one stays honest.
    const opener = holders.find((host) => layersOf(host).length > 0);
    assert.ok(opener !== undefined);
    for (const host of [opener, taker]) {
      for (const file of layersOf(host)) writeFileSync(file, "spoilt", { flag: "r+" });
    }
    await deploy("twice", asker);
    const log = readFileSync(join(asker.folder, "logs/agent.log"), "utf8");
    assert.match(log, /A peer sent a part of an image that its digest disproves/);
  });
});

/** The files of layers that the host has ready for others. */
function layersOf(host: Host): string[] {
  const folder = host.path("/var/lib/gam/layers");
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
