/** `npm run test:unit`: the tests of the pure packages (test/repo/layers.ts), which need nothing but Node. */
import { globSync } from "node:fs";
import { pure } from "../test/repo/layers.ts";
import { runTests } from "./run-tests.ts";

const files = [...pure].flatMap((name) => globSync(`packages/${name}/src/**/*.test.ts`)).sort();
process.exitCode = await runTests({ files });
