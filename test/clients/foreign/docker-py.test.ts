/** docker-py, as Debian has it: the cases are in python/docker_py.py. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ClientCluster, labUnavailable, missingProgram } from "./support/client-cluster.ts";

const number = 86;
const withinMs = 300_000;
const python = "/usr/bin/python3";
const script = join(import.meta.dirname, "python", "docker_py.py");
const skip = labUnavailable() ?? (await missingProgram(python, ["-c", "import docker"]));

interface Case {
  readonly name: string;
  readonly wrong: string | null;
}

test("docker-py", { skip, timeout: withinMs }, async (t) => {
  const cluster = await ClientCluster.up(number);
  try {
    const { code, out, err } = await cluster.run(python, ["-B", script], { withinMs });
    assert.equal(code, 0, err);
    const cases = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Case);
    for (const { name, wrong } of cases) {
      await t.test(name, () => assert.equal(wrong, null, wrong ?? ""));
    }
    assert.ok(cases.length > 0, "the script has no cases");
  } finally {
    await cluster.down();
  }
});
