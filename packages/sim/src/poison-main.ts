/**
 * The command line of poisoned input.
 *
 *   node packages/sim/src/poison-main.ts --inputs 1000000    this many mutants, on all cores
 *   node packages/sim/src/poison-main.ts --seed 7            one round
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseOptions, UsageError, wholeNumber } from "./options.ts";
import { poisonRound } from "./poison/poison.ts";

/** Inputs of one round. Each round begins with a new mesh. */
const inputsEach = 500;
const inputsDefault = 20_000;
const inputsMax = 1_000_000_000;
const failuresMax = 10;

interface Report {
  readonly inputs: number;
  readonly taken: Record<string, number>;
  readonly failed: readonly string[];
}

const usage = `Usage: npm run poison -- [--inputs NUMBER] [--seed NUMBER]

  --inputs NUMBER   so many poisoned inputs, on all cores (20000)
  --seed NUMBER     one round, the one of this seed

Exit codes: 0, all passed; 1, a round failed; 2, bad options.`;

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof UsageError)) throw thrown;
  process.stderr.write(`poison: ${thrown.message}; npm run poison -- --help shows the options\n`);
  process.exitCode = 2;
}

async function main(args: readonly string[]): Promise<void> {
  // A child gets its share of the rounds by --from and --by.
  const { help, ...values } = parseOptions(args, ["inputs", "seed", "from", "by"] as const);
  if (help) return void process.stdout.write(`${usage}\n`);
  const inputs = wholeNumber("inputs", values.inputs, inputsMax) ?? inputsDefault;
  const seed = wholeNumber("seed", values.seed, Number.MAX_SAFE_INTEGER);
  const from = wholeNumber("from", values.from, inputsMax) ?? 1;
  const by = wholeNumber("by", values.by, inputsMax) ?? 1;
  const rounds = Math.ceil(inputs / inputsEach);
  if (seed !== undefined) return show([run(seed, seed, 1)]);
  if (process.send !== undefined) return void process.send(run(rounds, from, by));
  const workers = Math.min(availableParallelism(), rounds);
  const children = Array.from({ length: workers }, (_, at) => child(inputs, at + 1, workers));
  show(await Promise.all(children));
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

function child(inputs: number, from: number, by: number): Promise<Report> {
  const args = [`--inputs=${inputs}`, `--from=${from}`, `--by=${by}`];
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(import.meta.url), args);
    process.once("message", (report) => resolve(report as Report));
    process.once("exit", (code) => reject(new Error(`a round ended with code ${code}`)));
  });
}
