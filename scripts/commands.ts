/**
 * Commands: writes docs/commands.md (`npm run commands`), or the manual page with `--manual FILE`.
 *
 * The date of the manual page is that of SOURCE_DATE_EPOCH, so that two packages of one commit have the same bytes.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { allCommandTexts } from "../packages/cli/src/program.ts";
import { manualOf, markdownOf } from "../packages/cli/src/reference/render.ts";

const [option, file] = process.argv.slice(2);
const commands = allCommandTexts();
if (option === undefined) {
  writeFileSync(join(import.meta.dirname, "../docs/commands.md"), markdownOf(commands));
} else if (option === "--manual" && file !== undefined) {
  const epochMs = Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000;
  const date = new Date(epochMs).toISOString().slice(0, 10);
  writeFileSync(file, manualOf(commands, { version: manifest.version, date }));
} else {
  console.error("Wanted: scripts/commands.ts [--manual FILE]");
  process.exitCode = 2;
}
