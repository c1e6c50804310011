/**
 * Count reporter: how many tests of a run passed, failed and were skipped, for scripts/test.
 *
 * Counts tests that have no tests below them. A suite or a parent counts only when it fails although
 * nothing below it did (its `before` hook, its own code), or when it is skipped as a whole. A file
 * without any test is reported by Node as a test that passed; it does not count.
 *
 * Its output is one line with the three numbers, then a line for each skipped test: its name and reason.
 * There is no output before the run is over, so a runner that was killed leaves none.
 */
import { resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";

type Outcome = "passed" | "failed" | "skipped";

export async function* countReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts: Record<Outcome, number> = { passed: 0, failed: 0, skipped: 0 };
  const skips: string[] = [];
  /** By depth: whether a test failed among those reported since the last report of a lesser depth. */
  const failedAt: boolean[] = [];
  for await (const event of events) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, nesting, file, skip, todo, details } = event.data;
    // Tests are reported before their parent.
    const failedBelow = failedAt[nesting + 1];
    failedAt.length = nesting + 1;
    failedAt[nesting] = event.type === "test:fail" || failedAt[nesting] === true;
    const reason = skip ?? todo;
    if (reason !== undefined && reason !== false) {
      counts.skipped += 1;
      const why = typeof reason === "string" && reason !== "" ? reason : "no reason is given";
      skips.push(`${name}: ${why}`.replace(/\s+/g, " "));
    } else if (event.type === "test:fail") {
      if (failedBelow !== true) counts.failed += 1;
    } else if (failedBelow === undefined && details.type !== "suite" && !isFile(name, file)) {
      counts.passed += 1;
    }
  }
  yield `${counts.passed} ${counts.failed} ${counts.skipped}\n${skips.map((line) => `${line}\n`).join("")}`;
}

function isFile(name: string, file: string | undefined): boolean {
  return file !== undefined && resolve(name) === file;
}
