/**
 * The command line of poisoned input.
 *
 *   node packages/sim/src/poison/poison-main.ts --inputs 1000000    this many mutants, on all cores
 *   node packages/sim/src/poison/poison-main.ts --seed 7            one round
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { poisonRound } from "./poison.ts";

/** Inputs of one round. Each round begins with a new mesh. */
const inputsEach = 500;
const failuresMax = 10;

interface Report {
  readonly inputs: number;
  readonly taken: Record<string, number>;
  readonly failed: readonly string[];
}

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "20000" },
    seed: { type: "string" },
    from: { type: "string", default: "1" },
    by: { type: "string", default: "1" },
  },
});
const rounds = Math.ceil(Number(values.inputs) / inputsEach);

if (values.seed !== undefined) show([run(Number(values.seed), Number(values.seed), 1)]);
else if (process.send !== undefined) {
  process.send(run(rounds, Number(values.from), Number(values.by)));
} else {
  const workers = Math.min(availableParallelism(), rounds);
  show(await Promise.all(Array.from({ length: workers }, (_, at) => child(at + 1, workers))));
}

function run(last: number, from: number, by: number): Report {
  const taken: Record<string, number> = {};
  const failed: string[] = [];
  let inputs = 0;
  for (let seed = from; seed <= last && failed.length < failuresMax; seed += by) {
    try {
      const facts = poisonRound(seed, inputsEach);
      inputs += facts.inputs;
      for (const [kind, count] of Object.entries(facts.taken)) {
        taken[kind] = (taken[kind] ?? 0) + count;
      }
    } catch (thrown) {
      failed.push(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  return { inputs, taken, failed };
}

function show(reports: readonly Report[]): void {
  const failed = reports.flatMap((report) => report.failed);
  for (const message of failed.slice(0, failuresMax)) {
    process.stdout.write(`${message}\n  run again: npm run poison -- --seed N\n`);
  }
  const kinds = [...new Set(reports.flatMap(({ taken }) => Object.keys(taken)))].sort();
  const taken = kinds.map((kind) => {
    return `${kind} ${reports.reduce((sum, report) => sum + (report.taken[kind] ?? 0), 0)}`;
  });
  const inputs = reports.reduce((sum, report) => sum + report.inputs, 0);
  process.stdout.write(
    `${inputs} inputs; accepted: ${taken.join(", ")}\n${failed.length} failed\n`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function child(from: number, by: number): Promise<Report> {
  const args = [`--inputs=${values.inputs}`, `--from=${from}`, `--by=${by}`];
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(import.meta.url), args);
    process.once("message", (report) => resolve(report as Report));
    process.once("exit", (code) => reject(new Error(`a round ended with code ${code}`)));
  });
}
