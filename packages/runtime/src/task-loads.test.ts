import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TaskId } from "@gam/core";
import { TaskLoads } from "./task-loads.ts";

const one = { id: "one" as TaskId, pid: 7 };

function write(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** `network`: the namespace that process 7 is in; the host's is net:[1]. */
function rootOf(t: TestContext, network = "net:[2]"): string {
  const root = mkdtempSync(join(tmpdir(), "gam-loads-"));
  for (const [process, name] of Object.entries({ self: "net:[1]", 7: network })) {
    mkdirSync(join(root, `proc/${process}/ns`), { recursive: true });
    symlinkSync(name, join(root, `proc/${process}/ns/net`));
  }
  t.after(() => rmSync(root, { recursive: true }));
  return root;
}

function opened(count: number): Record<string, string> {
  const tcp = `Tcp: RtoAlgorithm ActiveOpens PassiveOpens\nTcp: 1 9 ${count}\n`;
  return { "proc/7/net/snmp": `Ip: Forwarding\nIp: 1\n${tcp}` };
}

interface Version {
  readonly name: string;
  readonly fixed: Record<string, string>;
  readonly counters: (cpuMs: number, memory: number, inactive: number) => Record<string, string>;
}

const versions: readonly Version[] = [
  {
    name: "version 2",
    fixed: {
      "proc/self/mountinfo": "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "proc/7/cgroup": "0::/system.slice/docker-c.scope\n",
    },
    counters: (cpuMs, memory, inactive) => ({
      "sys/fs/cgroup/system.slice/docker-c.scope/cpu.stat": `usage_usec ${cpuMs * 1000}\nuser_usec 1\n`,
      "sys/fs/cgroup/system.slice/docker-c.scope/memory.current": `${memory}\n`,
      "sys/fs/cgroup/system.slice/docker-c.scope/memory.stat": `anon 1\ninactive_file ${inactive}\n`,
    }),
  },
  {
    name: "version 1, seen from a part of the tree",
    fixed: {
      "proc/self/mountinfo": [
        "32 31 0:29 /lab /cg/cpuacct,cpu rw - cgroup cgroup rw,cpuacct,cpu",
        "33 31 0:30 /lab /cg/memory rw - cgroup cgroup rw,memory",
        "34 31 0:31 / /cg/unified rw - cgroup2 cgroup2 rw",
      ].join("\n"),
      "proc/7/cgroup": "5:cpuacct,cpu:/lab/docker/c\n4:memory:/lab/docker/c\n0::/\n",
    },
    counters: (cpuMs, memory, inactive) => ({
      "cg/cpuacct,cpu/docker/c/cpuacct.usage": `${cpuMs * 1e6}\n`,
      "cg/memory/docker/c/memory.usage_in_bytes": `${memory}\n`,
      "cg/memory/docker/c/memory.stat": `cache 1\ntotal_inactive_file ${inactive}\n`,
    }),
  },
];

for (const { name, fixed, counters } of versions) {
  test(`the load of a task, from control groups of ${name}`, (t) => {
    const root = rootOf(t);
    write(root, fixed);
    const loads = new TaskLoads(root);
    const look = (nowS: number, cpuS: number) => {
      write(root, { ...counters(1000 * cpuS, 1000, 100), ...opened(20 * nowS) });
      return loads.measure([one], 1000 * nowS);
    };
    assert.deepEqual(look(0, 5), [{ id: "one", memoryBytes: 900 }], "no average yet");
    assert.deepEqual(look(1, 6), [{ id: "one", memoryBytes: 900 }], "too soon to read again");
    assert.deepEqual(look(5, 10), [{ id: "one", memoryBytes: 900 }]);
    assert.deepEqual(look(10, 10), [{ id: "one", memoryBytes: 900, cpu: 0.5, requests: 20 }]);
    assert.deepEqual(
      look(20, 10),
      [{ id: "one", memoryBytes: 900, cpu: 0, requests: 20 }],
      "of the last 15 s",
    );
  });

  test(`a process that is gone, and another one of the task, of ${name}`, (t) => {
    const root = rootOf(t);
    const loads = new TaskLoads(root);
    assert.deepEqual(loads.measure([one], 0), []);
    write(root, { ...fixed, ...counters(0, 10, 20), ...opened(0) });
    assert.deepEqual(loads.measure([one], 10_000), [{ id: "one", memoryBytes: 0 }]);
    assert.deepEqual(loads.measure([{ ...one, pid: 8 }], 20_000), []);
  });
}

test("counters that are no numbers are as good as none", (t) => {
  const root = rootOf(t);
  const [{ fixed, counters }] = versions as [Version];
  write(root, { ...fixed, ...counters(Number.NaN, 10, 20), ...opened(0) });
  assert.deepEqual(new TaskLoads(root).measure([one], 0), []);
});

test("a task in the network of its host has no connections of its own", (t) => {
  const root = rootOf(t, "net:[1]");
  const [{ fixed, counters }] = versions as [Version];
  write(root, { ...fixed, ...counters(0, 10, 20) });
  const loads = new TaskLoads(root);
  loads.measure([one], 0);
  assert.deepEqual(loads.measure([one], 20_000), [{ id: "one", memoryBytes: 0, cpu: 0 }]);
});
