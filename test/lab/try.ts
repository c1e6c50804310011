/**
 * Try: the program behind scripts/try. Makes a lab, runs the story in it, takes the lab down.
 *
 * The lab is always removed: at the end, on a failure, on Ctrl-C; and the lab's keeper removes it when
 * this process is killed. Code 0 means that every step of the story succeeded.
 */
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Lab, LabError, numberDefault } from "./clusters/lab.ts";
import { Narrator, seconds } from "./story/narrator.ts";
import { Story } from "./story/story.ts";

const lifetimeMinutes = 240;
const endMsMax = 2000;
const interruptedCode = 130;

/** When scripts/try began, in milliseconds since 1970: installing is part of the time that it takes. */
const beganMs = Number(process.env.GAM_TRY_BEGAN_MS ?? Date.now());

/** Arguments, checked by scripts/try: HOSTS, the lab's number or nothing, `keep` or nothing. */
async function main([hostsWord, numberWord, keepWord]: readonly string[]): Promise<number> {
  const hosts = Number(hostsWord);
  const number = Number(numberWord || numberDefault);
  const keep = keepWord === "keep";
  const narrator = new Narrator(process.stdout);
  const installedMs = Date.now() - beganMs;
  const interruption = interruptible();
  const playing = play({ hosts, number, narrator, keep, interruption });
  await Promise.race([playing, once(interruption, "abort")]);
  if (interruption.aborted) {
    narrator.say("Interrupted: taking the lab down");
    await endLab(number, playing);
    return interruptedCode;
  }
  if (keep) narrator.say(advice(number, hosts));
  else narrator.say("The lab is down; nothing of it is left.");
  const took = seconds(Date.now() - beganMs);
  const before = seconds(installedMs);
  narrator.say(`Every step succeeded, in ${took}, of which ${before} before the first step.`);
  return 0;
}

interface Play {
  readonly hosts: number;
  readonly number: number;
  readonly narrator: Narrator;
  readonly keep: boolean;
  readonly interruption: AbortSignal;
}

async function play({ hosts, number, narrator, keep, interruption }: Play): Promise<void> {
  narrator.chapter(`${hosts} hosts`);
  narrator.say(
    "Each has processes, a disk, a name, an address and a Docker engine of its own; a switch",
  );
  narrator.say("joins them. On each an agent runs, as it would as a service: gam agent");
  narrator.say("");
  const lab = await Lab.up({ hosts, number, agents: true, lifetimeMinutes, outlive: keep });
  try {
    const { hostsMs = 0, agentsMs = 0 } = lab.timings ?? {};
    for (const { name, address } of lab.hosts) narrator.say(`  ${name}  ${address}`);
    narrator.say("");
    narrator.fact(`engines answer after ${seconds(hostsMs)}, agents ${seconds(agentsMs)} later`);
    await new Story({ lab, narrator, keepStack: keep }).tell();
  } catch (thrown) {
    if (!(thrown instanceof LabError)) throw thrown;
    const logs = `logs are in ${lab.host(1).folder}/logs and beside it`;
    const hint = keep
      ? `The lab is left as it is; ${logs}`
      : "With --keep the lab stays, to look at";
    throw new LabError(`${thrown.message}\n${hint}`, { cause: thrown });
  } finally {
    if (!keep && !interruption.aborted) await lab.down();
  }
}

/** Aborted by the first signal. Later ones have no effect, since cleaning is under way. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => controller.abort());
  return controller.signal;
}

/** Takes the lab down twice, since a host that was just starting may appear after the first `down`. */
async function endLab(number: number, playing: Promise<void>): Promise<void> {
  await Lab.down(number);
  // The story fails because its lab is gone, so its error is not shown.
  await Promise.race([playing.catch(() => undefined), pause(endMsMax)]);
  await Lab.down(number);
}

function advice(number: number, hosts: number): string {
  const lab = number === numberDefault ? "scripts/lab" : `scripts/lab --lab ${number}`;
  return [
    `The lab stays up for ${lifetimeMinutes} minutes. Look around:`,
    "",
    `  ${lab} gam 2 status`,
    `  ${lab} docker ${hosts} service ls`,
    `  ${lab} kill 2`,
    `  ${lab} help`,
    `  ${lab} down`,
    "",
  ].join("\n");
}

try {
  // Not by `exitCode`: an interrupted story may still wait for something.
  process.exit(await main(process.argv.slice(2)));
} catch (thrown) {
  if (!(thrown instanceof LabError)) throw thrown;
  console.error(`scripts/try: ${thrown.message}`);
  process.exit(1);
}
