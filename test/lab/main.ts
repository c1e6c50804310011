/** The command behind scripts/lab. One verb per call; everything it needs to know is on disk. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { engineCall } from "./engine-call.ts";
import type { Command, Host } from "./host.ts";
import { Lab, LabError, numberDefault } from "./lab.ts";

const usage = `scripts/lab VERB [--lab NUMBER]     real hosts on this machine; needs root

  up [--hosts 3] [--agents] [--for MINUTES]   start a lab; it ends by itself after 240 minutes
  down                                        remove it, also half of one
  status                                      what is up, and what is wrong with the network
  kill HOST | start HOST                      power loss | power on, with the disk as it was
  cut HOST | heal HOST|all                    pull the cable | put it in, end splits and loss
  split 1,2 3,4,5                             groups that do not hear each other
  loss PERCENT [HOST]                         lose frames, of all or of one host
  freeze HOST | thaw HOST                     stop every process | let them go on
  agent HOST                                  start the host's agent
  exec HOST COMMAND…                          run a command in the host
  gam HOST ARGUMENTS…                         the gam command in the host
  docker HOST [--engine] ARGUMENTS…           the docker client at the agent, or at the engine
`;

const lifetimeMinutesDefault = 240;

/** The words of a command that is run in a host, which are not ours to read. */
const passing = new Set(["exec", "gam", "docker"]);

async function main(argv: readonly string[]): Promise<number> {
  const { own, rest } = cleave(argv);
  const { values, positionals } = parseArgs({
    args: own,
    allowPositionals: true,
    options: {
      lab: { type: "string", default: String(numberDefault) },
      hosts: { type: "string", default: "3" },
      for: { type: "string", default: String(lifetimeMinutesDefault) },
      agents: { type: "boolean", default: false },
    },
  });
  const [verb = "help", ...words] = positionals;
  const number = numberOf(values.lab, "lab");
  switch (verb) {
    case "up":
      return up(
        number,
        numberOf(values.hosts, "hosts"),
        numberOf(values.for, "minutes"),
        values.agents,
      );
    case "down":
      return down(number);
    case "help":
      process.stdout.write(usage);
      return 0;
    default:
      return inLab(Lab.open(number), verb, words, rest);
  }
}

/** Ours is all up to the host; what follows it belongs to the command that is run there. */
function cleave(argv: readonly string[]): { readonly own: string[]; readonly rest: string[] } {
  const verb = argv.findIndex((word) => passing.has(word));
  if (verb === -1) return { own: [...argv], rest: [] };
  const host = argv[verb + 1] === "--lab" ? verb + 3 : verb + 1;
  return { own: argv.slice(0, host + 1), rest: argv.slice(host + 1) };
}

async function inLab(
  lab: Lab,
  verb: string,
  words: readonly string[],
  rest: readonly string[],
): Promise<number> {
  const host = (): Host => lab.host(hostNumberOf(words[0]));
  switch (verb) {
    case "status":
      return status(lab);
    case "kill":
      await host().kill();
      return 0;
    case "start":
      await host().start();
      return 0;
    case "cut":
      await host().cut();
      return 0;
    case "heal":
      await (words[0] === "all" ? lab.heal() : host().heal());
      return 0;
    case "split":
      await lab.split(
        words.map((group) => group.split(",").map((one) => lab.host(hostNumberOf(one)).number)),
      );
      return 0;
    case "loss": {
      const percent = numberOf(words[0], "percent");
      const of = words[1];
      await (of === undefined ? lab.loss(percent) : lab.host(hostNumberOf(of)).loss(percent));
      return 0;
    }
    case "freeze":
      await host().freeze();
      return 0;
    case "thaw":
      await host().thaw();
      return 0;
    case "agent":
      await host().startAgent();
      return 0;
    case "exec":
      return attach(host().command(rest));
    case "gam":
      return attach(host().gamCommand(rest));
    case "docker": {
      const engine = rest[0] === "--engine";
      return attach(host().dockerCommand(engine ? rest.slice(1) : rest, engine));
    }
    default:
      throw new LabError(`Cannot run "${verb}": no such verb; scripts/lab help`);
  }
}

async function up(
  number: number,
  hosts: number,
  minutes: number,
  agents: boolean,
): Promise<number> {
  const startMs = performance.now();
  const lab = await Lab.up({ number, hosts, agents, lifetimeMinutes: minutes, outlive: true });
  const parts = Object.entries(lab.timings ?? {}).map(
    ([name, ms]) => `${name.replace(/Ms$/, "")} ${seconds(ms)}`,
  );
  const first = lab.host(1).address;
  console.log(
    `Lab ${number}: ${hosts} hosts from ${first}, up in ${seconds(performance.now() - startMs)} (${parts.join(", ")}); it ends in ${minutes} minutes`,
  );
  return 0;
}

async function down(number: number): Promise<number> {
  const startMs = performance.now();
  const found = await Lab.down(number);
  console.log(
    found
      ? `Lab ${number}: down in ${seconds(performance.now() - startMs)}`
      : `Lab ${number}: was not up`,
  );
  return 0;
}

async function status(lab: Lab): Promise<number> {
  const { madeAt, faults, frozen } = lab.describe();
  console.log(`Lab ${lab.number}, up since ${madeAt}; network faults: ${faults}`);
  for (const host of lab.hosts) {
    const words = [host.name.padEnd(7), host.address.padEnd(13)];
    if (!host.isOn) words.push("off");
    else if (frozen.includes(host.number)) words.push("frozen");
    else {
      words.push((await answers(host.engineSocket)) ? "engine answers," : "engine silent,");
      words.push((await answers(host.agentSocket)) ? "agent answers," : "no agent,");
      words.push(`${host.pids().length} processes`);
    }
    console.log(`  ${words.join(" ")}`);
  }
  return 0;
}

async function answers(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return false;
  try {
    await engineCall(socketPath, { path: "/_ping", timeoutMs: 500 });
    return true;
  } catch (cause) {
    if (cause instanceof LabError) return false;
    throw cause;
  }
}

/** Runs a command on our own terminal and takes over its code. */
function attach({ file, args, env }: Command): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function numberOf(word: string | undefined, what: string): number {
  const number = Number(word ?? "");
  if (word === undefined || word === "" || !Number.isFinite(number)) {
    throw new LabError(`Cannot read ${what}: wanted a number, found "${word ?? ""}"`);
  }
  return number;
}

/** Hosts are named by number, with or without "host" before it. */
function hostNumberOf(word: string | undefined): number {
  return numberOf(word?.replace(/^host/, ""), "host");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  const bad =
    cause instanceof LabError ||
    (cause instanceof Error && "code" in cause && String(cause.code).startsWith("ERR_PARSE_ARGS"));
  if (!bad) throw cause;
  console.error(cause.message);
  process.exitCode = 1;
}
