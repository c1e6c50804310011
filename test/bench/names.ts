/**
 * Names: how soon every host knows that a task does not serve any more.
 *
 *   node test/bench/names.ts [--rounds 10] [--lab 33] [--check]
 *
 * A container of a service on five hosts is killed. The time is from its end, as the engine has it, until
 * the name server of each host has stopped naming it; the last host counts. One line per figure.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Background } from "../lab/background.ts";
import { type Host, Lab } from "../lab/lab.ts";
import { LabMesh } from "../lab/lab-mesh.ts";
import { mustDocker } from "../lab/must-docker.ts";
import { must } from "../lab/run.ts";
import { print } from "./figures.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    lab: { type: "string", default: "33" },
    check: { type: "boolean", default: false },
  },
});
const hosts = 5;
const service = "web";
const watchSeconds = 60;
const limitMs = 30_000;
const watcher = new URL("../lab/name-watch.ts", import.meta.url).pathname;

interface Seen {
  readonly atMs: number;
  readonly addresses: readonly string[];
}

const lab = await Lab.up({ hosts, number: Number(values.lab), agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const first = lab.host(1);
  await mustDocker(first, ["network", "create", "-d", "overlay", "front"]);
  await mustDocker(first, [
    ...["service", "create", "--detach", "--name", service, "--network", "front"],
    ...["--mode", "global", "--restart-delay", "100ms", "gam/test:1"],
  ]);
  const tookMs: number[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    tookMs.push(await loseOne(mesh, lab.host(1 + (round % hosts))));
  }
  print("container ended until no host names it any more", tookMs, "ms", { most: 300 });
} finally {
  await lab.down();
}

async function loseOne(mesh: LabMesh, victim: Host): Promise<number> {
  await mesh.running(victim, service, hosts);
  const watchers = await Promise.all(lab.hosts.map(watch));
  const logs = watchers.map(({ log }) => log);
  const seen = (log: string): Seen[] =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Seen);
  await mesh.until("every host names all tasks", limitMs, async () =>
    logs.every((log) => seen(log).at(-1)?.addresses.length === hosts),
  );
  const format = "{{.ID}}";
  const found = ["--filter", `name=${service}`, "--format", format];
  const id = await engine(victim, ["ps", "--quiet", ...found]);
  const ofNetworks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const address = await engine(victim, ["inspect", "-f", ofNetworks, id]);
  const killedMs = Date.now();
  // The order alone takes as long as all that follows, so time counts from the end.
  await engine(victim, ["kill", id]);
  const endedMs = Date.parse(await engine(victim, ["inspect", "-f", "{{.State.FinishedAt}}", id]));
  const goneMs = (log: string): number | undefined =>
    seen(log).find(({ atMs, addresses }) => atMs >= killedMs && !addresses.includes(address))?.atMs;
  await mesh.until(`no host names ${address}`, limitMs, async () => logs.every(goneMs));
  for (const watcher of watchers) watcher.kill("SIGKILL");
  return Math.max(...logs.map((log) => (goneMs(log) ?? 0) - endedMs));
}

async function engine(host: Host, args: readonly string[]): Promise<string> {
  const { file, args: words, env } = host.dockerCommand(args, true);
  return (await must(file, words, { env })).trim();
}

/** Its log has the answers of the host's own name server. */
async function watch(host: Host): Promise<Background> {
  const { file, args, env } = host.command(["ip", "-j", "-4", "addr"]);
  const links = JSON.parse(await must(file, args, { env })) as {
    readonly ifname: string;
    readonly addr_info: readonly { readonly local: string }[];
  }[];
  const gateway = links.find(({ ifname }) => ifname.startsWith("gam-"))?.addr_info[0]?.local ?? "";
  const words = ["node", watcher, gateway, `tasks.${service}`, String(watchSeconds)];
  return await host.spawn(`names-${Date.now()}`, words);
}
