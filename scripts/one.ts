/**
 * Runs the named test files: `npm run one -- FILE…`, from any package or folder.
 *
 * Node's own runner without a file runs all tests, including those on real hosts.
 * Exits with 2 if an argument is wrong, else with the runner's code.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { runTests, UsageError } from "./run-tests.ts";

const usage = `npm run one -- FILE… [--name PATTERN]

  FILE             a test file, such as packages/state/src/store/store.test.ts
  --name PATTERN   only tests whose name matches the regular expression`;

function read(args: readonly string[]): { files: readonly string[]; name?: string | undefined } {
  const options = { name: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  if (positionals.length === 0) {
    throw new UsageError("one wants a test file, such as packages/state/src/store/store.test.ts");
  }
  for (const file of positionals) {
    if (!file.endsWith(".test.ts")) {
      throw new UsageError(`one wants a file whose name ends in .test.ts, found "${file}"`);
    }
    if (!existsSync(file)) {
      throw new UsageError(`no file "${file}"; name it from the top folder of the checkout`);
    }
  }
  return { files: positionals, name: values.name };
}

try {
  process.exitCode = await runTests(read(process.argv.slice(2)));
} catch (thrown) {
  if (!(thrown instanceof UsageError) && !(thrown instanceof TypeError)) throw thrown;
  process.stderr.write(`${thrown.message}; "npm run one -- --help" shows the options\n`);
  process.exitCode = 2;
}
