import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeeds } from "./seeds.ts";

/** A fault that every seed finds soon. */
const fault = "worker: says running before it runs";
const { failed } = runSeeds({ first: 1, last: 5, by: 1, fault, stormMs: 10_000 });

test("a seed that fails reports what was found, its last lines, desired and actual state, and how to run it", () => {
  const { lines } = failed[0] ?? { lines: [] };
  const text = lines.join("\n");
  const found =
    /^seed 1 failed at \d+\.\d{3} s: task \w+\.\w+#\d+ is reported as running on host\d but was not started$/;
  assert.match(lines[0] ?? "", found);
  const last = lines.findIndex((line) => /^The last 40 of \d+ lines of its story:$/.test(line));
  const state = lines.findIndex((line) => line.startsWith("Desired and actual state, as host"));
  assert.ok(last > 0 && state - last === 42, text);
  for (const line of lines.slice(last + 1, last + 41)) assert.match(line, /^ *\d+\.\d{3} {2}\S/);
  // Desired state, state of the tasks, containers.
  assert.match(text, /^ {2}service \w+ wants app:\w+, (?:\d+ replicas?|global)/m);
  assert.match(
    text,
    /^ {4}\w+\.\w+#\d+ .* desired \w+ +is running on host\d+ +container created$/m,
  );
  assert.match(text, /^ {2}host\d+ +ready manager, active +agent runs +entry \d+ +runs /m);
  assert.doesNotMatch(text, /\b[a-z]+0{9}/, "an id has no name");
  const command = `npm run sim -- --seed 1 --fault "${fault}" --storm 10`;
  assert.equal(lines.at(-1), `run again with all lines: ${command}`);
});

test("of many failed seeds, three come with their story and the others without", () => {
  assert.equal(failed.length, 5);
  for (const { lines } of failed.slice(0, 3)) assert.ok(lines.length > 20, lines.join("\n"));
  for (const { seed, lines } of failed.slice(3)) {
    assert.equal(lines.length, 2);
    assert.match(lines[1] ?? "", new RegExp(`--seed ${seed} `));
  }
});
