/**
 * The simulator's command line.
 *
 *   npm run sim -- --seed 7                         one history, line by line
 *   npm run sim -- --seed 7 --only web --from 25s   some of its lines
 *   npm run sim -- --seeds 1000                     that many, on all cores, with totals
 *   npm run sim -- --seeds 50 --fault "disk: says durable when it is not"
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { readCommand, type SimCommand, UsageError, usage } from "./options.ts";
import { type Report, type Seeds, storiesMax, tellSeed } from "./seeds.ts";
import { groups } from "./story/phrases.ts";
import type { Filter, Teller } from "./story/teller.ts";

const failuresMax = 10;

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

function tell({ seed, filter, ...run }: Extract<SimCommand, { kind: "one" }>): void {
  const told = tellSeed(seed, run, 0);
  refuseStrangers(told.teller, filter);
  const lines = told.teller.lines(filter);
  print(...lines);
  if (lines.length === 0) print(`no line matches the filters, of ${told.teller.lines().length}`);
  if (told.kind === "passed") {
    print(`seed ${seed}: passed, settled ${told.history.settledMs} ms after the storm`);
  } else {
    print("", ...told.lines);
    process.exitCode = 1;
  }
}

/** Refuses filters for unknown names. Runs after the history, since only then all names are known. */
function refuseStrangers(teller: Teller, { only, hosts }: Filter): void {
  const words = teller.words();
  for (const [option, asked, known] of [
    ["only", only, new Set([...groups, ...words.only])],
    ["hosts", hosts, words.hosts],
  ] as const) {
    const stranger = asked?.find((name) => !known.has(name));
    if (stranger === undefined) continue;
    const list = [...known].sort((a, b) => a.localeCompare(b, "en", { numeric: true })).join(", ");
    throw new UsageError(`--${option} finds no "${stranger}" in this history; there are ${list}`);
  }
}

async function spread({ seeds, ...run }: Extract<SimCommand, { kind: "many" }>): Promise<void> {
  const beganMs = performance.now();
  const workers = Math.min(availableParallelism(), seeds);
  const reports = await Promise.all(
    Array.from({ length: workers }, (_, index) =>
      child({ first: index + 1, last: seeds, by: workers, ...run }),
    ),
  );
  const total = (value: (report: Report) => number): number =>
    reports.reduce((sum, report) => sum + value(report), 0);
  const failed = reports.flatMap((report) => report.failed).sort((a, b) => a.seed - b.seed);
  for (const [at, { lines }] of failed.slice(0, failuresMax).entries()) {
    // Each process prints the stories of its first failures. Of all together only the first few are printed in full.
    print(...(at < storiesMax ? lines : [lines[0] ?? "", lines.at(-1) ?? ""]), "");
  }
  const tookS = ((performance.now() - beganMs) / 1000).toFixed(0);
  const slowestMs = Math.max(...reports.map(({ settledMsMax }) => settledMsMax));
  print(
    `${total((report) => report.seeds)} histories in ${tookS} s: ${total((report) => report.entries)} log entries, ` +
      `${total((report) => report.downs)} nodes marked down, slowest calm ${slowestMs} ms of virtual time`,
    `${total((report) => report.seeds) - failed.length} passed, ${failed.length} failed`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function child(seeds: Seeds): Promise<Report> {
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(new URL("./seeds-main.ts", import.meta.url)));
    process.once("message", (report) => resolve(report as Report));
    process.once("exit", (code) => reject(new Error(`simulator ended with code ${code}`)));
    process.send(seeds);
  });
}

try {
  const command = readCommand(process.argv.slice(2));
  if (command.kind === "help") print(usage);
  else if (command.kind === "one") tell(command);
  else await spread(command);
} catch (thrown) {
  if (!(thrown instanceof UsageError)) throw thrown;
  process.stderr.write(`sim: ${thrown.message}; npm run sim -- --help shows the options\n`);
  process.exitCode = 2;
}
