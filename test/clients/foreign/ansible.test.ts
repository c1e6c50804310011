/** Ansible's modules for Swarm, as Debian has them: each playbook runs twice, and the second time changes nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ClientCluster, labUnavailable, missingProgram } from "./support/client-cluster.ts";

const number = 89;
const withinMs = 600_000;
const program = "ansible-playbook";
const skip =
  labUnavailable() ??
  (await missingProgram("/usr/bin/python3", ["-c", "import docker, jsondiff, yaml, ansible"]));

interface Report {
  readonly plays: readonly {
    readonly tasks: readonly {
      readonly task: { readonly name: string };
      readonly hosts: Readonly<Record<string, Result>>;
    }[];
  }[];
}

interface Result {
  readonly changed?: boolean;
  readonly failed?: boolean;
  readonly msg?: unknown;
}

test("Ansible", { skip, timeout: withinMs }, async (t) => {
  const cluster = await ClientCluster.up(number);
  try {
    for (const book of ["present", "changed", "absent"]) {
      for (const round of ["first", "second"]) {
        for (const { name, result } of await play(cluster, `${book}.yml`)) {
          await t.test(`${book}, ${round} time: ${name}`, () => {
            assert.ok(result.failed !== true, JSON.stringify(result.msg ?? result));
            if (round === "second") assert.ok(result.changed !== true, JSON.stringify(result));
          });
        }
      }
    }
  } finally {
    await cluster.down();
  }
});

async function play(
  cluster: ClientCluster,
  book: string,
): Promise<{ name: string; result: Result }[]> {
  const env = {
    ANSIBLE_STDOUT_CALLBACK: "json",
    ANSIBLE_LOCALHOST_WARNING: "false",
    ANSIBLE_PYTHON_INTERPRETER: "/usr/bin/python3",
    LC_ALL: "C.UTF-8",
  };
  const path = join(import.meta.dirname, "ansible", book);
  const { out, err } = await cluster.run(program, ["-i", "localhost,", path], { withinMs, env });
  const begin = out.indexOf("{");
  assert.ok(begin >= 0, `${out}${err}`);
  const { plays } = JSON.parse(out.slice(begin)) as Report;
  return plays.flatMap(({ tasks }) => {
    return tasks.map(({ task, hosts }) => ({ name: task.name, result: hosts.localhost ?? {} }));
  });
}
