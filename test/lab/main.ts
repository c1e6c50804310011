/** The command behind scripts/lab. One verb per call; its state is on disk. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Lab, LabError } from "./clusters/lab.ts";
import { engineCall } from "./hosts/engine-call.ts";
import type { Command } from "./hosts/host.ts";
import { type LabCommand, readLabCommand, UsageError, usage } from "./lab-command.ts";

const usageCode = 2;

async function main(argv: readonly string[]): Promise<number> {
  const command = readLabCommand(argv);
  const { verb } = command;
  if (verb === "help") {
    process.stdout.write(usage);
    return 0;
  }
  if (verb === "up") return up(command);
  if (verb === "down") return down(command.lab);
  const lab = Lab.open(command.lab);
  switch (verb) {
    case "status":
      return status(lab);
    case "exec":
      return attach(lab.host(command.host).command(command.words));
    case "gam":
      return attach(lab.host(command.host).gamCommand(command.words));
    case "docker":
      return attach(lab.host(command.host).dockerCommand(command.words, command.engine));
    case "kill":
    case "start":
    case "cut":
    case "freeze":
    case "thaw":
      await lab.host(command.host)[verb]();
      return 0;
    case "agent":
      await lab.host(command.host).startAgent();
      return 0;
    case "heal":
      await (command.host === "all" ? lab.heal() : lab.host(command.host).heal());
      return 0;
    case "split":
      await lab.split(command.groups.map((group) => group.map((host) => lab.host(host).number)));
      return 0;
    case "loss": {
      const { host, percent } = command;
      await (host === undefined ? lab.loss(percent) : lab.host(host).loss(percent));
      return 0;
    }
  }
}

async function up(command: Extract<LabCommand, { verb: "up" }>): Promise<number> {
  const { lab: number, hosts, minutes, agents, measure } = command;
  const startMs = performance.now();
  const options = { number, hosts, agents, measure, lifetimeMinutes: minutes, outlive: true };
  const lab = await Lab.up(options);
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

/** Runs a command on our own terminal. Returns its exit code. */
function attach({ file, args, env }: Command): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  if (cause instanceof UsageError) {
    console.error(`scripts/lab: ${cause.message}`);
    process.exitCode = usageCode;
  } else if (cause instanceof LabError) {
    console.error(cause.message);
    process.exitCode = 1;
  } else {
    throw cause;
  }
}
