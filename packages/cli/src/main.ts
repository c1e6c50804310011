/** Runs the gam command. It is bundled as CommonJS, which has no top-level await. */
import { run } from "./program.ts";

async function main(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), {
    environment: process.env,
    cwd: process.cwd(),
    isTerminal: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    nowMs: () => Date.now(),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onInterrupt: (call) => {
      process.on("SIGINT", call);
      return () => process.off("SIGINT", call);
    },
    ...(process.stdout.isTTY === true && { draw: (text: string) => process.stdout.write(text) }),
    ...(process.stdin.isTTY === true && process.stdout.isTTY === true && { ask }),
    data: { in: process.stdin, out: process.stdout },
    print: (line) => console.log(line),
    complain: (line) => console.error(line),
  });
}

async function ask(question: string): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

void main();
