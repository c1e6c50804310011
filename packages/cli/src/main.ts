import { createInterface } from "node:readline/promises";
import { run } from "./program.ts";

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  cwd: process.cwd(),
  isTerminal: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  nowMs: () => Date.now(),
  ...(process.stdin.isTTY === true && process.stdout.isTTY === true && { ask }),
  print: (line) => console.log(line),
  complain: (line) => console.error(line),
});

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}
