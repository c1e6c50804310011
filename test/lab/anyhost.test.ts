/**
 * Containers of other hosts, by the unmodified docker client at a peer that does not lead: one plain container and
 * one task's container, both on a host that was not asked.
 *
 * One mesh serves all tests, in order: the last one cuts a host off.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";
import type { Background } from "./hosts/background.ts";
import { engineCall } from "./hosts/engine-call.ts";
import type { RunOptions, RunResult } from "./hosts/run.ts";

const skip = labUnavailable() ?? false;
const number = 92;
const patienceMs = 60_000;
/** Silence of 2 s makes a host lost; the rest is the client's, on a busy machine. */
const lostMsMax = 10_000;
const plain = "plain";
/** Says its arguments once, and then a line each tenth of a second. */
const talking = ["sh", "-c", 'n=0; while :; do echo "$0 $n"; n=$((n+1)); sleep 0.1; done'];

describe("containers of other hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;
  let owner: Host;
  /** The whole name of the task's container on the owner. */
  let task: string;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    const leader = await mesh.leader(lab.host(1));
    [asked, owner] = lab.hosts.filter((host) => host.number !== leader) as [Host, Host];
    await mustDocker(owner, ["run", "-d", "--name", plain, "gam/test:1", ...talking, plain]);
    await mesh.createService(asked, "web", 3, {
      TaskTemplate: { ContainerSpec: { Image: "gam/test:1", Command: [...talking, "web"] } },
      Mode: { Global: {} },
    });
    await mesh.running(asked, "web", 3);
    const names = await mustDocker(owner, ["ps", "--format", "{{.Names}}"]);
    task = names.split("\n").find((name) => name.startsWith("web.")) ?? "";
  });
  after(async () => {
    await Lab.down(number);
  });

  /** The client at the asked host. */
  const ask = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    asked.docker(args, options);
  const must = (...args: readonly string[]): Promise<string> => mustDocker(asked, args);

  for (const which of ["a plain container", "a task's container"]) {
    const name = (): string => (which === "a plain container" ? plain : task);

    test(`exec in ${which}: output, input, exit code, terminal`, async () => {
      const failing = await ask(["exec", name(), "sh", "-c", "echo out; echo err >&2; exit 7"]);
      assert.deepEqual(failing, { code: 7, stdout: "out\n", stderr: "err\n" });
      const input = randomBytes(2_000_000).toString("base64");
      const fed = await ask(["exec", "-i", name(), "wc", "-c"], { input });
      assert.deepEqual([fed.code, fed.stdout.trim()], [0, String(input.length)]);
      const { env } = asked.dockerCommand([]);
      // The client sends the size only after the exec has started.
      const size = "until stty size 2>/dev/null | grep .; do :; done; exit 3";
      const line = `stty rows 31 cols 87; docker exec -it ${name()} sh -c 'tty; ${size}'`;
      const shown = await asked.exec(["script", "-qec", line, "/dev/null"], { env });
      assert.equal(shown.code, 3, shown.stdout);
      assert.match(shown.stdout, /\/dev\/pts\/\d+\r\n\S*31 87\r\n/);
      await must("exec", "-d", name(), "touch", "/tmp/detached");
      await mesh.until("the detached exec has run", patienceMs, async () => {
        return (await ask(["exec", name(), "test", "-e", "/tmp/detached"])).code === 0;
      });
    });

    test(`files go to ${which} and back unchanged`, async () => {
      const bytes = randomBytes(5_000_000);
      writeFileSync(asked.path("/tmp/sent"), bytes);
      await must("cp", "/tmp/sent", `${name()}:/tmp/there`);
      await must("cp", `${name()}:/tmp/there`, "/tmp/back");
      assert.ok(readFileSync(asked.path("/tmp/back")).equals(bytes));
      assert.match(await must("diff", name()), /A \/tmp\/there/);
      const missing = await ask(["cp", `${name()}:/nowhere`, "/tmp/back"]);
      assert.match(missing.stderr, /Could not find the file \/nowhere|No such container:path/);
    });

    test(`what can be seen of ${which}`, async () => {
      assert.match(await must("logs", "--tail", "2", name()), /^\w+ \d+\n\w+ \d+$/);
      assert.match(await must("top", name()), /sleep 0\.1|while :/);
      const stats = await must("stats", "--no-stream", "--format", "{{.PIDs}}", name());
      assert.ok(Number(stats) > 0, stats);
      assert.equal(await must("inspect", "-f", "{{.State.Running}}", name()), "true");
      const { stdout } = await ask(["export", name()]);
      assert.ok(stdout.length > 1_000_000);
    });
  }

  test("states of a plain container", async () => {
    const state = (): Promise<string> => must("inspect", "-f", "{{.State.Status}}", plain);
    await must("pause", plain);
    assert.equal(await state(), "paused");
    await must("unpause", plain);
    const waiting = ask(["wait", plain]);
    await must("kill", "-s", "KILL", plain);
    assert.equal((await waiting).stdout.trim(), "137");
    assert.equal(await state(), "exited");
    await must("start", plain);
    await must("restart", "-t", "0", plain);
    await must("stop", "-t", "0", plain);
    assert.equal(await state(), "exited");
    const id = await must("inspect", "-f", "{{.Id}}", plain);
    const byName = await ask(["rename", plain, "other"]);
    assert.match(byName.stderr, new RegExp(`${owner.name} has one, use ${owner.name}/${plain}`));
    await must("rename", id.slice(0, 12), "other");
    await must("rename", `${owner.name}/other`, plain);
    await must("start", plain);
  });

  test("attach, with input", async () => {
    await mustDocker(owner, ["create", "-i", "--name", "cat", "gam/test:1", "cat"]);
    const attached = await ask(["start", "-ai", "cat"], {
      input: "hello\n",
      timeoutMs: patienceMs,
    });
    assert.deepEqual([attached.code, attached.stdout], [0, "hello\n"]);
    const id = await must("inspect", "-f", "{{.Id}}", "cat");
    await must("rm", "-f", id);
    const gone = await ask(["inspect", "--type", "container", "cat"]);
    assert.match(gone.stderr, /No such container: cat$/m);
  });

  test("the list of all hosts", async () => {
    const own = await must("ps", "--format", "{{.Names}}");
    assert.ok(!own.includes(plain), own);
    const format = '{{.Names}} {{.Label "gam.host"}}';
    const all = await must("ps", "--filter", "gam.hosts=all", "--format", format);
    const rows = all.split("\n").sort();
    assert.equal(rows.length, 4, all);
    assert.ok(rows.includes(`${owner.name}/${plain} ${owner.name}`), all);
    assert.equal(await must("exec", `${owner.name}/${plain}`, "echo", "here"), "here");
  });

  test("the exec of a killed client ends", async () => {
    const isThere = async (): Promise<boolean> => (await must("top", plain)).includes("cat -");
    // An input that stays open. An exec with a terminal outlives its client in Docker, too.
    const line = `mkfifo /tmp/input; exec docker exec -i ${plain} cat - <>/tmp/input`;
    const shown = await asked.spawn("shown", dockerEnv(["sh", "-c", line]));
    await mesh.until("the exec runs", patienceMs, isThere);
    shown.kill("SIGKILL");
    await mesh.until("the exec has ended", patienceMs, async () => !(await isThere()));
  });

  test("logs of a service are in order of time, and go on with the next task", async () => {
    const lines = await must("service", "logs", "--raw", "-t", "--since", "3s", "web");
    const times = lines.split("\n").map((line) => line.split(" ")[0] ?? "");
    assert.ok(times.length > 10, lines);
    assert.deepEqual(times, times.toSorted());
    const follower = await asked.spawn("follow", dockerAt("service", "logs", "-f", "web"));
    await must("kill", task);
    const before = task.slice(task.lastIndexOf(".") + 1).slice(0, 12);
    const text = (): string => readFileSync(follower.log, "utf8");
    await mesh.until("a line of the next task on that host", patienceMs, async () =>
      text()
        .split("\n")
        .some(
          (line) =>
            line.includes(`@${owner.name}`) && !line.includes(before) && / web 0$/.test(line),
        ),
    );
    follower.kill("SIGKILL");
  });

  test("exec and logs end on the client's side when the host is cut off, and its name is said", async () => {
    const clients: readonly Background[] = await Promise.all([
      asked.spawn("exec-cut", codeOf("exec", plain, "sleep", "1000")),
      asked.spawn("logs-cut", codeOf("logs", "-f", "--tail", "1", plain)),
      asked.spawn("attach-cut", codeOf("attach", "--no-stdin", plain)),
    ]);
    const [, logs] = clients;
    await mesh.until("the exec runs, and a line has come", patienceMs, async () => {
      const isThere = (await must("top", plain)).includes("sleep 1000");
      return isThere && readFileSync(logs?.log ?? "", "utf8").includes(plain);
    });
    // The docker client shows "--" for ever, as when an engine ends: the stream itself must end.
    const endOf = (method: "GET" | "POST", call: string): Promise<unknown> =>
      engineCall(asked.agentSocket, { method, path: `/containers/${plain}/${call}` }).catch(
        (thrown: unknown) =>
          assert.ok(thrown instanceof LabError && !/in time/.test(thrown.message)),
      );
    const streams = [endOf("GET", "stats"), endOf("POST", "wait")];
    const cutMs = performance.now();
    await owner.cut();
    for (const client of clients) {
      await client.ended();
      assert.match(readFileSync(client.log, "utf8"), /code [1-9]\d*\n$/, client.log);
    }
    await Promise.all(streams);
    const tookMs = performance.now() - cutMs;
    assert.ok(tookMs < lostMsMax, `after ${Math.round(tookMs)} ms`);
    const nowhere = await ask(["exec", plain, "true"]);
    assert.equal(nowhere.code, 1);
    assert.match(
      nowhere.stderr,
      new RegExp(`No such container: ${plain} \\(${owner.name} does not answer\\)`),
    );
    await owner.heal();
    await mesh.ready(asked, 3, patienceMs);
    // The state may say "ready" before the asked host has connected again.
    await mesh.until("an exec answers again", patienceMs, async () => {
      return (await must("exec", plain, "echo", "back")) === "back";
    });
  });

  function dockerEnv(words: readonly string[]): string[] {
    return ["env", "DOCKER_HOST=unix:///run/gam.sock", ...words];
  }
  function dockerAt(...args: readonly string[]): string[] {
    return dockerEnv(["docker", ...args]);
  }
  /** The client, and then its exit code. */
  function codeOf(...args: readonly string[]): string[] {
    return dockerEnv(["sh", "-c", 'docker "$@"; echo "code $?"', "sh", ...args]);
  }
});
