/**
 * Images: what it costs to bring an image from one host to four others, without a registry.
 *
 *   node test/bench/images/copies.ts [--layers 8] [--megabytes 1000] [--mbit 200] [--lab 41] [--check]
 *
 * Five hosts. Each host's line to the switch carries `--mbit`, by the kernel's token bucket, as a real one would. All
 * times are until the engines have the image. In this order, with other bytes each time:
 * - one host gets the image (`gam image push`);
 * - four hosts get it at once;
 * - four hosts get it one after the other by `docker save | docker load` over a bare TCP connection.
 * The bytes that each host has received are read from its network device.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Host, Lab, LabError } from "../../lab/clusters/lab.ts";
import { LabMesh } from "../../lab/clusters/lab-mesh.ts";
import { mustDocker } from "../../lab/clusters/must-docker.ts";
import { makeLayeredImage } from "../../lab/load/layered-image.ts";
import { print, printRatio } from "../support/figures.ts";
import { benchOptions } from "../support/options.ts";

const {
  layers,
  megabytes,
  mbit,
  lab: number,
} = benchOptions({ layers: 8, megabytes: 1000, mbit: 200, lab: 41 });
const mega = 1_000_000;
const port = 9999;

async function mustRun(host: Host, words: readonly string[], timeoutMs = 600_000): Promise<string> {
  const { code, stdout, stderr } = await host.exec(words, { timeoutMs });
  if (code === 0) return stdout;
  throw new LabError(`Cannot run ${words.join(" ")} at ${host.name}: ${stderr}`);
}

/** Megabytes that have come to the host over the switch. */
async function receivedMB(host: Host): Promise<number> {
  const text = await mustRun(host, ["cat", "/proc/net/dev"]);
  return Number(/eth0:\s*(\d+)/.exec(text)?.[1]) / mega;
}

/** Makes an image of other bytes on the host. */
async function load(host: Host, folder: string, name: string): Promise<void> {
  const seeds = Array.from({ length: layers }, (_, at) => `${name} ${at}`);
  const layerBytes = Math.floor((megabytes * mega) / layers);
  const tar = await makeLayeredImage(join(folder, "image"), { name, seeds, layerBytes });
  await mustDocker(host, ["load", "-q", "-i", tar], { engine: true });
  rmSync(tar);
}

/** Seconds until all hosts have the image. */
async function push(from: Host, image: string, hosts: readonly Host[]): Promise<number> {
  const startMs = performance.now();
  const words = ["image", "push", image, ...hosts.map(({ name }) => name)];
  const { code, stderr } = await from.gam(words, { timeoutMs: 600_000 });
  if (code !== 0) throw new LabError(`Cannot push ${image}: ${stderr}`);
  return (performance.now() - startMs) / 1000;
}

/** Seconds until the host has the image, by the docker client alone. */
async function copy(from: Host, image: string, to: Host): Promise<number> {
  const docker = "docker -H unix:///run/docker.sock";
  const listen = `const server = net.createServer((one) => { server.close(); one.pipe(process.stdout); }).listen(${port})`;
  const taking = to.exec(["sh", "-c", `node -e '${listen}' | ${docker} load -q`], {
    timeoutMs: 600_000,
  });
  const dial =
    `const dial = () => { const one = net.connect(${port}, "${to.address}"); ` +
    'one.on("error", () => setTimeout(dial, 100)).on("connect", () => process.stdin.pipe(one)); }; dial()';
  const startMs = performance.now();
  await mustRun(from, ["sh", "-c", `${docker} save ${image} | node -e '${dial}'`]);
  const { code, stderr } = await taking;
  if (code !== 0) throw new LabError(`Cannot load at ${to.name}: ${stderr}`);
  return (performance.now() - startMs) / 1000;
}

const folder = mkdtempSync(join(tmpdir(), "gam-bench-images-"));
const lab = await Lab.up({ hosts: 5, number, agents: true });
try {
  await LabMesh.form(lab);
  for (const host of lab.hosts) {
    const limit = ["rate", `${mbit}mbit`, "burst", "256k", "latency", "50ms"];
    await mustRun(host, ["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", ...limit]);
  }
  const [source, ...others] = lab.hosts as [Host, ...Host[]];
  await load(source, folder, "one:1");
  const one = await push(source, "one:1", others.slice(0, 1));
  print("an image from one host to another", [one], "s");
  await load(source, folder, "four:1");
  const before = await Promise.all(others.map(receivedMB));
  const four = await push(source, "four:1", others);
  print("an image from one host to four", [four], "s");
  const after = await Promise.all(others.map(receivedMB));
  const received = after.map((value, at) => value - (before[at] ?? 0));
  await load(source, folder, "plain:1");
  let plain = 0;
  for (const host of others) plain += await copy(source, "plain:1", host);
  print("docker save | docker load to four, one after the other", [plain], "s");
  printRatio("to four hosts, to one", [four], [one], { most: 1.6 });
  printRatio("docker save | docker load to four, to gam", [plain], [four], { least: 3 });
  const image = received.map(() => megabytes);
  printRatio("bytes that a host received, to the image's", received, image, { most: 1.1 });
} finally {
  await Lab.down(number);
  rmSync(folder, { recursive: true, force: true });
}
