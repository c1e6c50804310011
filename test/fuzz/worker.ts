/**
 * Worker: gives one target its inputs, one after the other. campaign.ts starts and watches it.
 *
 * The number of the current input is in shared memory, so that it is known even when this thread hangs or
 * runs out of memory.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Random } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import { type ModuleName, targetsOf } from "./modules.ts";
import { makeInput } from "./mutate.ts";
import { isRefusal, type Target } from "./target.ts";

export interface Work {
  readonly module: ModuleName;
  readonly name: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly limits: Limits;
  readonly progress: SharedArrayBuffer;
}

/** Limits of one input. */
export interface Limits {
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

export type Told =
  | {
      readonly kind: "broken";
      readonly input: number;
      readonly found: string;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "done"; readonly taken: number; readonly cpuMsMax: number };

/** Most tries of an input that seemed slow or large: garbage collection may hit any input. */
const triesMax = 4;

/** The random source of one input, independent of other inputs, so that it can be made again alone. */
export function randomFor(seed: number, input: number): Random {
  const random = seededRandom((Math.imul(seed, 0x9e3779b1) ^ Math.imul(input + 1, 0x85ebca6b)) | 1);
  for (let left = 8; left > 0; left -= 1) random.below(2);
  return random;
}

interface Judged {
  readonly broken: string | undefined;
  readonly taken: boolean;
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** CPU time of this thread; before Node 23.9, of all threads. */
function cpuMsNow(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}

async function judge(
  target: Target,
  bytes: Uint8Array,
  seed: number,
  input: number,
): Promise<Judged> {
  const random = randomFor(~seed, input);
  const before = process.memoryUsage();
  const beganMs = cpuMsNow();
  let broken: string | undefined;
  let taken = false;
  try {
    const answer = target.take(bytes, random);
    taken = typeof answer === "boolean" ? answer : await answer;
  } catch (thrown) {
    if (!isRefusal(target, thrown)) broken = told(thrown);
  }
  const cpuMs = cpuMsNow() - beganMs;
  const after = process.memoryUsage();
  const memoryBytes = after.heapUsed + after.external - before.heapUsed - before.external;
  return { broken, taken, cpuMs, memoryBytes };
}

function told(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `threw ${String(thrown)}`;
  const place = thrown.stack?.split("\n").find((line) => /^\s+at /.test(line));
  return `threw ${thrown.name}: ${thrown.message.slice(0, 200)}${place === undefined ? "" : ` ${place.trim()}`}`;
}

/** The lowest cost of several tries, which is the input's own. */
async function judgeFairly(
  target: Target,
  bytes: Uint8Array,
  work: Work,
  input: number,
): Promise<Judged> {
  let least = await judge(target, bytes, work.seed, input);
  const { cpuMs, memoryBytes } = work.limits;
  for (let tries = 1; tries < triesMax; tries += 1) {
    if (least.cpuMs <= cpuMs && least.memoryBytes <= memoryBytes) break;
    const again = await judge(target, bytes, work.seed, input);
    least = {
      ...again,
      cpuMs: Math.min(least.cpuMs, again.cpuMs),
      memoryBytes: Math.min(least.memoryBytes, again.memoryBytes),
    };
  }
  if (least.broken !== undefined) return least;
  if (least.cpuMs > cpuMs) return { ...least, broken: `took ${Math.round(least.cpuMs)} ms of CPU` };
  if (least.memoryBytes <= memoryBytes) return least;
  return { ...least, broken: `took ${Math.round(least.memoryBytes / 2 ** 20)} MiB of memory` };
}

export async function work(work: Work, tell: (told: Told) => void): Promise<void> {
  const target = (await targetsOf(work.module)).find(({ name }) => name === work.name);
  if (target === undefined) throw new Error(`no target "${work.name}"`);
  const progress = new Int32Array(work.progress);
  await target.open?.();
  let taken = 0;
  let cpuMsMax = 0;
  for (let input = work.from; input < work.to; input += 1) {
    Atomics.store(progress, 0, input);
    const bytes = makeInput(target, randomFor(work.seed, input));
    const judged = await judgeFairly(target, bytes, work, input);
    if (judged.broken !== undefined) tell({ kind: "broken", input, found: judged.broken, bytes });
    if (judged.taken) taken += 1;
    cpuMsMax = Math.max(cpuMsMax, judged.cpuMs);
    // So that an uncaught rejection of this input is reported before the next one.
    await new Promise(setImmediate);
  }
  await target.close?.();
  tell({ kind: "done", taken, cpuMsMax });
}

if (parentPort !== null) {
  const port = parentPort;
  await work(workerData as Work, (told) => port.postMessage(told));
}
