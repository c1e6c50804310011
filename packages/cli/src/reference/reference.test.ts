import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { allCommandTexts, run } from "../program.ts";
import { aNodeSummary } from "../testing/a-status.ts";
import { fakeAgent } from "../testing/fake-agent.ts";
import { manualOf, markdownOf } from "./render.ts";
import { completionScripts, shells } from "./shells.ts";

const node = aNodeSummary(1, {});
const shop = { Name: "shop_web", Labels: { "com.docker.stack.namespace": "shop" } };
const script = {
  "GET /services": [{ Spec: shop }, { Spec: { Name: "api", Labels: null } }],
  "GET /nodes": [{ ID: node.id, Description: { Hostname: "host1" } }],
  "GET /volumes": { Volumes: [{ Name: "data" }], Warnings: null },
};

async function complete(words: readonly string[], socket: string): Promise<string[]> {
  const printed: string[] = [];
  const exit = await run(["complete", "--", ...words], {
    environment: { GAM_SOCKET: socket },
    cwd: "/",
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => 0,
    print: (line) => printed.push(line),
    complain: (line) => assert.fail(line),
  });
  assert.equal(exit, 0);
  return printed.map((line) => line.split("\t")[0] ?? "");
}

const rows: readonly (readonly [line: string, candidates: readonly string[]])[] = [
  ["stat", ["status"]],
  ["stack d", ["deploy"]],
  ["stack rm ", ["shop"]],
  ["stack rm shop ", ["shop"]],
  ["stack deploy --compose-file ", [":files"]],
  ["stack deploy -c ", [":files"]],
  ["stack deploy -c f --res", ["--resolve-image"]],
  ["stack deploy --resolve-image ", ["always", "changed", "never"]],
  ["stack deploy --resolve-image=ch", ["--resolve-image=changed"]],
  ["stack deploy --resolve-image = ch", ["--resolve-image=changed"]],
  ["stack deploy --detach=", []],
  ["stack deploy --none=x", []],
  ["why ", ["api", "host1", "shop_web"]],
  ["why s", ["shop_web"]],
  ["why api ", []],
  ["--socket x why a", ["api"]],
  ["autoscale ", ["api", "shop_web"]],
  ["service history ", ["api", "shop_web"]],
  ["service diff api --to ", []],
  ["volume move ", ["data"]],
  ["volume move data ", ["host1"]],
  ["volume move --from=h", ["--from=host1"]],
  ["volume move data host1 --from ", ["host1"]],
  ["completion ", ["bash", "zsh", "fish"]],
  ["token --role ", ["worker", "manager"]],
  ["image prune -- -", []],
  ["image push x ", ["host1"]],
  ["nonsense ", []],
];

test("completion knows commands, options, their values, and the cluster's names", async (t) => {
  const agent = await fakeAgent(script);
  t.after(() => agent.close());
  for (const [line, want] of rows) {
    assert.deepEqual(await complete(line.split(" "), agent.socket), want, line);
  }
});

test("completion without an agent has no names, and no error", async () => {
  assert.deepEqual(await complete(["why", ""], "/nowhere.sock"), []);
  assert.deepEqual(await complete(["volume", "st"], "/nowhere.sock"), ["stop-move"]);
  assert.deepEqual(await complete([], "/nowhere.sock"), await complete([""], "/nowhere.sock"));
});

test("each shell has a script", async () => {
  for (const shell of shells) {
    assert.match(completionScripts[shell], /gam complete -- /);
    assert.match(completionScripts[shell], /:files/);
  }
});

test("bash completes with the script", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "gam-completion-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const gam =
    '#!/bin/sh\nshift 2\nprintf "%s\\n" "--from=host1" "two words\tabout" "[$*]" :files\n';
  writeFileSync(join(folder, "gam"), gam, { mode: 0o755 });
  writeFileSync(join(folder, "stack one.yml"), "");
  const line = `${completionScripts.bash}
    complete -p gam
    COMP_WORDS=(gam volume move --from = ho) COMP_CWORD=5; _gam; printf '%s|' "\${COMPREPLY[@]:0:3}"
    COMP_WORDS=(gam stack) COMP_CWORD=1; _gam; printf '%s|' "\${COMPREPLY[@]:3}"`;
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const out = execFileSync("bash", ["--norc", "-c", line], { cwd: folder, env, encoding: "utf8" });
  const want = "host1|two words|[volume move --from = ho]|stack one.yml|";
  assert.equal(out, `complete -F _gam gam\n${want}`);
});

test("docs/commands.md has what the commands say", () => {
  const docs = readFileSync(new URL("../../../../docs/commands.md", import.meta.url), "utf8");
  assert.equal(docs, markdownOf(allCommandTexts()), "npm run commands writes it anew");
});

test("the manual page has each command, and no line that roff takes for one of its own", () => {
  const page = manualOf(allCommandTexts(), { version: "1.2.3", date: "2026-01-02" });
  assert.match(page, /^\.TH GAM 1 "2026-01-02" "gam 1\.2\.3"/);
  for (const { path } of allCommandTexts().slice(1))
    assert.ok(page.includes(`.SS ${path.replaceAll("-", "\\-")}`), path);
  const macros = new Set(["TH", "SH", "SS", "TP", "B"]);
  for (const line of page.split("\n")) {
    if (/^[.']/.test(line)) assert.ok(macros.has(line.split(" ")[0]?.slice(1) ?? ""), line);
  }
});
