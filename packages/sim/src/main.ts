/**
 * The simulator's command line.
 *
 *   node packages/sim/src/main.ts --seed 7            one history, told line by line
 *   node packages/sim/src/main.ts --seeds 1000        that many, on all cores, and the figures
 *   node packages/sim/src/main.ts --seeds 10 --storm 3600    with storms of so many seconds, not 30
 *   node packages/sim/src/main.ts --seeds 50 --fault "disk: says durable when it is not"
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type FaultName, type Planted, planted } from "./faults.ts";
import { live } from "./storm.ts";

interface Report {
  readonly seeds: number;
  readonly settledMsMax: number;
  readonly entries: number;
  readonly downs: number;
  readonly failed: readonly { readonly seed: number; readonly message: string }[];
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    by: { type: "string", default: "1" },
    fault: { type: "string" },
    storm: { type: "string", default: "30" },
  },
});

function faultOf(name: string | undefined): Planted {
  if (name === undefined) return {};
  if (!Object.hasOwn(planted, name)) {
    throw new Error(`Cannot plant "${name}": known are ${Object.keys(planted).join("; ")}`);
  }
  return planted[name as FaultName];
}

const stormMs = Number(values.storm) * 1000;
const options = { planted: faultOf(values.fault), stormMs };
if (values.seed !== undefined) {
  const history = live(Number(values.seed), { ...options, tracing: true });
  for (const line of history.world.trace) process.stdout.write(`${line}\n`);
  process.stdout.write(`seed ${values.seed}: settled ${history.settledMs} ms after the storm\n`);
} else if (process.send !== undefined) {
  process.send(run(Number(values.seeds), Number(values.from), Number(values.by)));
} else {
  await spread(Number(values.seeds ?? 100));
}

function run(last: number, from: number, by: number): Report {
  let [seeds, settledMsMax, entries, downs] = [0, 0, 0, 0];
  const failed: { seed: number; message: string }[] = [];
  for (let seed = from; seed <= last; seed += by) {
    seeds += 1;
    try {
      const history = live(seed, options);
      settledMsMax = Math.max(settledMsMax, history.settledMs);
      entries += history.entries;
      downs += history.downs;
    } catch (thrown) {
      failed.push({ seed, message: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  }
  return { seeds, settledMsMax, entries, downs, failed };
}

async function spread(seeds: number): Promise<void> {
  const beganMs = performance.now();
  const workers = Math.min(availableParallelism(), seeds);
  const reports = await Promise.all(
    Array.from({ length: workers }, (_, index) => child(seeds, index + 1, workers)),
  );
  const total = (value: (report: Report) => number): number =>
    reports.reduce((sum, report) => sum + value(report), 0);
  const failed = reports.flatMap((report) => report.failed).sort((a, b) => a.seed - b.seed);
  for (const { seed, message } of failed.slice(0, 10)) {
    process.stdout.write(`seed ${seed}: ${message}\n  again: npm run sim -- --seed ${seed}\n`);
  }
  const tookS = ((performance.now() - beganMs) / 1000).toFixed(0);
  const slowestMs = Math.max(...reports.map(({ settledMsMax }) => settledMsMax));
  process.stdout.write(
    `${total((report) => report.seeds)} histories in ${tookS} s: ${total((report) => report.entries)} log entries, ` +
      `${total((report) => report.downs)} nodes called down, slowest calm ${slowestMs} ms of virtual time\n` +
      `${total((report) => report.seeds) - failed.length} passed, ${failed.length} failed\n`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function child(seeds: number, from: number, by: number): Promise<Report> {
  const args = [`--seeds=${seeds}`, `--from=${from}`, `--by=${by}`, `--storm=${values.storm}`];
  if (values.fault !== undefined) args.push(`--fault=${values.fault}`);
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(import.meta.url), args);
    process.once("message", (report) => resolve(report as Report));
    process.once("exit", (code) => reject(new Error(`simulator ended with code ${code}`)));
  });
}
