/** What the bundles of the agent and of the gam command contain, and what not. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { agentBundle } from "../../scripts/bundle/agent.ts";
import { commandBundle } from "../../scripts/bundle/command.ts";
import { leaveOut, leftOut } from "../../scripts/bundle/left-out.ts";

interface Bundle {
  readonly metafile: Metafile;
  readonly program: Uint8Array;
}

const agentBytesMax = 3_200_000;
const folder = mkdtempSync(join(tmpdir(), "gam-bundle-"));
after(() => rmSync(folder, { recursive: true }));

async function make(options: BuildOptions): Promise<Bundle> {
  const { outputFiles, metafile } = await build({ ...options, metafile: true, write: false });
  const program = outputFiles?.find(({ path }) => path.endsWith(options.outfile ?? ""));
  assert.ok(program && metafile);
  return { metafile, program: program.contents };
}

let agent: Bundle;
let command: Bundle;
before(async () => {
  [agent, command] = await Promise.all([make(agentBundle), make(commandBundle)]);
});

/** Modules that are loaded together with this one. */
function loadedWith(path: string, { metafile }: Bundle): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (one: string): void => {
    if (found.has(one)) return;
    found.add(one);
    for (const { path, kind } of metafile.inputs[one]?.imports ?? []) {
      if (kind !== "dynamic-import") visit(path);
    }
  };
  visit(path);
  return found;
}

test("the agent's bundle is small, and V8 keeps one byte for each character", () => {
  const { program } = agent;
  assert.ok(program.length <= agentBytesMax, `${program.length} bytes`);
  assert.equal(
    program.findIndex((byte) => byte > 0x7f),
    -1,
  );
});

test("the bundles import only Node's own modules", () => {
  for (const { metafile } of [agent, command]) {
    const asked = Object.values(metafile.outputs).flatMap(({ imports }) => imports);
    const others = asked.filter(({ path, external }) => external && !isBuiltin(path));
    assert.deepEqual(others, []);
  }
});

test("left-out modules are in no bundle, and the agent would load each of them", () => {
  const inputs = [...Object.keys(agent.metafile.inputs), ...Object.keys(command.metafile.inputs)];
  for (const name of Object.keys(leftOut)) {
    assert.deepEqual(
      inputs.filter((path) => path.includes(`node_modules/${name}/`)),
      [],
    );
    assert.ok(
      Object.keys(agent.metafile.inputs).some((path) => path === `left-out:${name}`),
      `nothing imports ${name}: remove it from the list`,
    );
  }
});

test("a stub loads, and explains itself when it is called", async () => {
  const contents = `
    import { Client } from "ssh2";
    import grpc, { credentials } from "@grpc/grpc-js";
    const calls = [
      () => new Client(),
      () => credentials.createInsecure(),
      () => grpc.loadPackageDefinition({}),
      () => require("tar-fs")(),
    ];
    for (const call of calls) {
      try { call(); } catch (error) { console.log(error.message); }
    }`;
  const { outputFiles } = await build({
    ...{ bundle: true, write: false, format: "cjs", plugins: [leaveOut] },
    stdin: { contents, resolveDir: folder },
  });
  const path = join(folder, "stubs.cjs");
  writeFileSync(path, outputFiles[0]?.contents ?? "");
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: "utf8" });
  const back =
    "is left out of this bundle. Remove it from scripts/bundle/left-out.ts to include it";
  assert.deepEqual(
    stdout.trimEnd().split("\n"),
    [
      `Cannot call ssh2.Client: ssh2 (an engine behind SSH) ${back}`,
      `Cannot call @grpc/grpc-js.credentials.createInsecure: @grpc/grpc-js (sessions of BuildKit) ${back}`,
      `Cannot call @grpc/grpc-js.loadPackageDefinition: @grpc/grpc-js (sessions of BuildKit) ${back}`,
      `Cannot call tar-fs: tar-fs (sending a build context) ${back}`,
    ],
    stderr,
  );
});

test("the gam command loads YAML and stacks only for the commands that read them", () => {
  const heavy = (path: string): boolean => /node_modules\/yaml\/|^packages\/compose\//.test(path);
  const part = (name: string) => loadedWith(`packages/cli/src/${name}.ts`, command);
  for (const name of ["main", "commands/mesh-commands", "commands/doctor", "commands/recover"]) {
    assert.deepEqual([...part(name)].filter(heavy), [], name);
  }
  assert.ok([...part("commands/stacks/stack-commands")].some(heavy));
});

test("the bundled command runs", () => {
  const path = join(folder, "gam.cjs");
  writeFileSync(path, command.program);
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [path, ...args], { encoding: "utf8" });
  assert.equal(run("--version").stdout, "0.1.0\n");
  const { status, stderr } = run("--socket", join(folder, "none.sock"), "status");
  assert.equal(status, 1);
  assert.match(stderr, /^gam: Cannot reach agent at /);
});
