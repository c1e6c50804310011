import { run } from "./program.ts";

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  cwd: process.cwd(),
  isTerminal: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  nowMs: () => Date.now(),
  print: (line) => console.log(line),
  complain: (line) => console.error(line),
});
