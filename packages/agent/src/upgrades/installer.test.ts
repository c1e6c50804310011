/** The real upgrade.sh, with an install.sh, a gam command and an agent of the test. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { GamPackage, InstallEnd } from "@gam/state/answers";
import { Installer } from "./installer.ts";
import { PackageStore } from "./package-store.ts";

const script = join(import.meta.dirname, "../../../../scripts/packaging/upgrade.sh");
const sumOf = (build: string): string => build.repeat(64).slice(0, 64);

/** The file of a package is the name of its build. */
const installSh = `kept=$GAM_PACKAGES_DIR build=$(cat "$1") here=$(dirname "$kept")
echo "installing $build"
case $build in fails) echo "disk is full"; exit 1 ;; esac
cat "$kept/present" >"$kept/earlier"
echo "$3" >"$kept/present"
echo "$build" >"$here/installed"
`;
/** An agent that says its version as long as it runs. */
const gam = `#!/bin/sh
here=$(dirname "$(dirname "$0")")
case $1 in
  agent)
    echo "starting $(cat "$here/installed") $2"
    case $(cat "$here/installed") in broken) echo "bad release"; exit 3 ;; esac
    exec sh "$here/agent.mjs" ;;
  status)
    kill -0 "$(cat "$here/pid")" 2>/dev/null || exit 1
    printf '{\\n  "version": "0.1.0+%s",\\n  "nodes": []\\n}\\n' "$(cat "$here/running")" ;;
esac
`;
const agentSh = `here=$(dirname "$0")
cat "$here/installed" >"$here/running"
echo $$ >"$here/pid"
while :; do sleep 0.1; done
`;

class World {
  readonly folder = mkdtempSync(join(tmpdir(), "gam-installer-"));
  readonly kept = join(this.folder, "kept");
  readonly installer: Installer;
  readonly #agents: number[] = [];

  constructor(t: TestContext, builds: readonly string[]) {
    mkdirSync(join(this.folder, "bin"));
    mkdirSync(this.kept);
    this.write("bin/gam", gam);
    this.write("agent.mjs", agentSh);
    this.write("install.sh", installSh);
    copyFileSync(script, join(this.folder, "upgrade.sh"));
    for (const build of builds) {
      mkdirSync(join(this.kept, sumOf(build)));
      this.write(`kept/${sumOf(build)}/gam_0.1.0_amd64.deb`, build);
    }
    this.write("installed", "a");
    this.installer = new Installer({
      own: {
        ...{ release: "0.1.0", version: "0.1.0+a", kind: "deb", machine: "amd64" },
        ...{ root: this.folder, args: ["--option"] },
      },
      store: new PackageStore(this.kept),
      socket: join(this.folder, "gam.sock"),
      hasSystemd: false,
    });
    t.after(async () => {
      this.#agents.push(Number(this.read("pid")));
      for (const pid of this.#agents) {
        try {
          if (pid > 0) process.kill(pid, "SIGKILL");
        } catch (thrown) {
          if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ESRCH"))
            throw thrown;
        }
      }
      rmSync(this.folder, { recursive: true, maxRetries: 5 });
    });
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o755 });
  }

  read(name: string): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  }

  /** The agent of build "a", which is present. */
  async startAgent(): Promise<ChildProcess> {
    this.write("kept/present", sumOf("a"));
    const agent = spawn("sh", [join(this.folder, "agent.mjs")], { stdio: "ignore" });
    await once(agent, "spawn");
    while (this.read("pid") !== String(agent.pid)) await pause(5);
    this.#agents.push(agent.pid ?? 0);
    return agent;
  }

  /** Runs upgrade.sh to its end, as the agent of that process starts it. */
  async upgrade(agent: ChildProcess, build: string, back = false): Promise<InstallEnd | undefined> {
    mkdirSync(join(this.kept, "tools"), { recursive: true });
    for (const tool of ["install.sh", "upgrade.sh"]) {
      copyFileSync(join(this.folder, tool), join(this.kept, "tools", tool));
    }
    const words = [join(this.kept, "tools/upgrade.sh"), this.kept, sumOf(build), `0.1.0+${build}`];
    words.push(String(agent.pid), back ? "1" : "0", join(this.folder, "bin/gam"));
    const env = { ...process.env, GAM_BACKGROUND: "1", GAM_DATA_DIR: this.folder };
    const run = spawn("sh", [...words, join(this.folder, "gam.sock"), "--option"], { env });
    await once(run, "exit");
    return (await this.installer.state()).last?.end;
  }
}

test("another package is installed, and its agent is started with the same options", async (t) => {
  const world = new World(t, ["a", "b"]);
  const agent = await world.startAgent();
  assert.equal(await world.upgrade(agent, "b"), "installed");
  assert.equal(world.read("running"), "b");
  assert.match(world.read("agent.log"), /^starting b --option$/m);
  assert.notEqual(world.read("pid"), String(agent.pid));
  assert.deepEqual(
    [world.read("kept/present"), world.read("kept/earlier")],
    [sumOf("b"), sumOf("a")],
  );
});

test("after going back, no earlier package is noted", async (t) => {
  const world = new World(t, ["a", "b"]);
  assert.equal(await world.upgrade(await world.startAgent(), "b", true), "installed");
  assert.equal(world.read("kept/earlier"), "");
});

test("a release whose agent ends is replaced by the one before it, at once", async (t) => {
  const world = new World(t, ["a", "broken"]);
  const agent = await world.startAgent();
  const beganMs = performance.now();
  assert.equal(await world.upgrade(agent, "broken"), "reverted");
  assert.ok(performance.now() - beganMs < 15_000, "the tasks of a host without an agent move");
  assert.equal(world.read("running"), "a");
  assert.match((await world.installer.state()).last?.printed ?? "", /bad release/);
});

test("a package that does not install leaves the agent as it is", async (t) => {
  const world = new World(t, ["a", "fails"]);
  const agent = await world.startAgent();
  assert.equal(await world.upgrade(agent, "fails"), "failed");
  assert.equal(world.read("pid"), String(agent.pid));
  assert.match((await world.installer.state()).last?.printed ?? "", /disk is full/);
});

test("without an earlier package a broken release is said to be stuck", async (t) => {
  const world = new World(t, ["broken"]);
  assert.equal(await world.upgrade(await world.startAgent(), "broken"), "stuck");
});

test("an installation that was cut off is said to be stuck, and can be begun again", async (t) => {
  const world = new World(t, ["a", "b"]);
  const agent = await world.startAgent();
  assert.deepEqual(await world.installer.state(), { installing: "", last: null });
  world.write("kept/run", sumOf("b"));
  assert.equal((await world.installer.state()).last?.end, "stuck");
  const about: GamPackage = {
    ...{ name: "gam_0.1.0_amd64.deb", sha256: sumOf("b"), version: "0.1.0+b", dialect: 1 },
    ...{ machine: "amd64", kind: "deb" },
  };
  // This process stands for the agent that begins it, and is not taken for one.
  agent.kill("SIGKILL");
  const { env } = process;
  Object.assign(env, { GAM_DATA_DIR: world.folder, GAM_BACKGROUND: "1" });
  t.after(() => {
    delete env.GAM_DATA_DIR;
    delete env.GAM_BACKGROUND;
  });
  await world.installer.begin(about, false);
  const deadlineMs = performance.now() + 60_000;
  while ((await world.installer.state()).last?.end !== "installed") {
    assert.ok(performance.now() < deadlineMs, world.read("kept/log"));
    await pause(20);
  }
  assert.equal(world.read("installed"), "b");
});
