/**
 * Fuzz: runs every decoder of foreign input with many inputs.
 *
 *   npm run fuzz                                      200,000 inputs each, about half an hour
 *   npm run fuzz -- --inputs 5000 --only hello
 *   npm run fuzz -- --only hello --seed 1 --from 4711 --inputs 1      one input again
 *
 * Exit 1 when a decoder broke a rule of README.md.
 */
import { parseArgs } from "node:util";
import { runCampaign } from "./campaign.ts";
import { ownModules, targetsOf } from "./modules.ts";

const usage = `Usage: npm run fuzz -- [--only NAME] [--inputs NUMBER] [--seed NUMBER] [--from NUMBER]

  --only NAME       one decoder (all)
  --inputs NUMBER   so many inputs for each (200000)
  --seed NUMBER     the inputs of this seed (1)
  --from NUMBER     begin with this input (0)

Exit codes: 0, none broken; 1, findings; 2, bad options.

Decoders: `;

function readOptions() {
  const number = (byDefault: string) => ({ type: "string", default: byDefault }) as const;
  try {
    return parseArgs({
      options: {
        ...{ inputs: number("200000"), seed: number("1"), from: number("0") },
        ...{ only: { type: "string" }, help: { type: "boolean", default: false } },
      },
    }).values;
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    console.error(`fuzz: ${thrown.message}; npm run fuzz -- --help shows the options`);
    process.exit(2);
  }
}

const values = readOptions();
if (values.help) {
  const groups = await Promise.all(ownModules.map(targetsOf));
  const names = groups.flat().map(({ name }) => name);
  console.log(`${usage}${names.join(", ")}`);
  process.exit(0);
}
const wholeNumber = (name: "inputs" | "seed" | "from"): number => {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`fuzz: --${name} wants a whole number, found "${values[name]}"`);
  process.exit(2);
};
const inputs = wholeNumber("inputs");
const seed = wholeNumber("seed");
const from = wholeNumber("from");

/** The beginning of an input. The printed command makes the whole input again. */
function shown(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 120)).toString("latin1");
  return JSON.stringify(text) + (bytes.length > 120 ? ` and ${bytes.length - 120} bytes more` : "");
}

let run = 0;
let broken = 0;
for (const module of ownModules) {
  for (const { name, group } of await targetsOf(module)) {
    if (values.only !== undefined && values.only !== name) continue;
    run += 1;
    const report = await runCampaign({ module, name, seed, from, inputs });
    const figures = `${report.inputs} inputs, ${report.taken} taken, slowest ${report.cpuMsMax.toFixed(1)} ms`;
    console.log(
      `${name.padEnd(16)} ${group.padEnd(11)} ${figures}, ${report.seconds.toFixed(0)} s`,
    );
    for (const { input, found, bytes } of report.findings) {
      broken += 1;
      console.log(`  BROKEN by input ${input}: ${found}`);
      if (bytes !== undefined) console.log(`    ${shown(bytes)}`);
      console.log(`    npm run fuzz -- --only ${name} --seed ${seed} --from ${input} --inputs 1`);
    }
  }
}
if (run === 0) {
  console.error(`fuzz: no decoder named "${values.only}"`);
  process.exit(2);
}
console.log(
  `${run} decoders, ${inputs} inputs each from seed ${seed}: ${broken === 0 ? "none broken" : `${broken} findings`}`,
);
process.exitCode = broken === 0 ? 0 : 1;
