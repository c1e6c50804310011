/**
 * Campaign: gives one target its inputs in a thread, and reports the findings and how far it got.
 *
 * The thread may hang, end by an uncaught exception, or run out of memory. Each is a finding, with the number
 * of its input, and another thread continues after it.
 */
import { Worker } from "node:worker_threads";
import type { ModuleName } from "./modules.ts";
import type { Told, Work } from "./worker.ts";

export interface Finding {
  readonly input: number;
  readonly found: string;
  readonly bytes?: Uint8Array;
}

export interface Report {
  readonly inputs: number;
  /** Inputs that the decoder accepted. */
  readonly taken: number;
  readonly cpuMsMax: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
}

export interface CampaignOptions {
  readonly module: ModuleName;
  readonly name: string;
  readonly seed: number;
  readonly from?: number;
  readonly inputs: number;
  /** An input that takes this long counts as a hang. Much longer than `limits.cpuMs`: the machine may be busy. */
  readonly hangMs?: number;
  /** Heap of the thread. */
  readonly heapMegabytes?: number;
}

const limits = { cpuMs: 100, memoryBytes: 64 * 2 ** 20 };
const hangMsDefault = 10_000;
const lookMs = 200;
const heapMegabytesDefault = 768;
/** Further findings of one target are not useful. */
const findingsMax = 5;

export async function runCampaign(options: CampaignOptions): Promise<Report> {
  const begun = performance.now();
  const findings: Finding[] = [];
  let taken = 0;
  let cpuMsMax = 0;
  const first = options.from ?? 0;
  let from = first;
  const to = first + options.inputs;
  while (from < to && findings.length < findingsMax) {
    const progress = new SharedArrayBuffer(4);
    const work: Work = { ...options, from, to, limits, progress };
    const { told, ended } = await runThread(work, options, findingsMax - findings.length);
    for (const one of told) {
      if (one.kind === "broken") findings.push(one);
      else {
        taken += one.taken;
        cpuMsMax = Math.max(cpuMsMax, one.cpuMsMax);
      }
    }
    const at = Atomics.load(new Int32Array(progress), 0);
    if (ended !== undefined) findings.push({ input: at, found: ended });
    from = at + 1;
  }
  const seconds = (performance.now() - begun) / 1000;
  return { inputs: from - first, taken, cpuMsMax, seconds, findings };
}

/** Runs one thread. Shape: `ended` is how the thread ended, if it did not finish. */
function runThread(
  work: Work,
  { hangMs = hangMsDefault, heapMegabytes = heapMegabytesDefault }: CampaignOptions,
  brokenMax: number,
): Promise<{ told: readonly Told[]; ended: string | undefined }> {
  return new Promise((resolve) => {
    const told: Told[] = [];
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData: work,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
      stderr: true,
    });
    let seen = -1;
    let seenMs = performance.now();
    let isOver = false;
    const end = (ended: string | undefined): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(watch);
      void worker.terminate().then(() => resolve({ told, ended }));
    };
    const watch = setInterval(() => {
      const now = Atomics.load(new Int32Array(work.progress), 0);
      if (now !== seen) seenMs = performance.now();
      seen = now;
      if (performance.now() - seenMs > hangMs) end(`hangs: no answer in ${hangMs / 1000} s`);
    }, lookMs);
    worker.on("message", (one: Told) => {
      told.push(one);
      if (one.kind === "done") return end(undefined);
      if (told.length >= brokenMax) end(undefined);
    });
    worker.on("error", (error: Error) =>
      end(`ended the process: ${error.name}: ${error.message.slice(0, 200)}`),
    );
    worker.on("exit", () => end("ended the process"));
  });
}
