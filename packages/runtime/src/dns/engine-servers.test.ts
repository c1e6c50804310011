import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type EngineServers, engineServers } from "./engine-servers.ts";

const listed = "nameserver 127.0.0.11\n# ExtServers: [192.0.2.1 host(127.0.0.53) 2001:db8::1]\n";

const cases: readonly (readonly [string, readonly string[], string, EngineServers])[] = [
  [
    "those that the engine lists",
    ["192.0.2.9"],
    listed,
    { servers: ["192.0.2.1"], asksHost: true },
  ],
  [
    "the container's own, without a list",
    ["192.0.2.9", "192.0.2.10"],
    "",
    { servers: ["192.0.2.9", "192.0.2.10"], asksHost: false },
  ],
  ["one of the host's loopback", ["127.0.0.1"], "", { servers: [], asksHost: true }],
  [
    "none, if the engine lists none",
    ["192.0.2.9"],
    "# ExtServers: []\n",
    { servers: [], asksHost: false },
  ],
];
for (const [name, chosen, text, want] of cases) {
  test(`the engine's resolver asks ${name}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "gam-resolver-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "resolv.conf");
    writeFileSync(file, text);
    assert.deepEqual(await engineServers(chosen, file), want);
  });
}

test("a resolv.conf that is gone is none", async () => {
  const found = await engineServers(["192.0.2.9"], "/no/such/file");
  assert.deepEqual(found, { servers: ["192.0.2.9"], asksHost: false });
});
