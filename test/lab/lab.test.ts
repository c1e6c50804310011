import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { engineCall } from "./hosts/engine-call.ts";
import { LabState } from "./hosts/lab-state.ts";
import { rulesOf } from "./hosts/switch.ts";

const skip = labUnavailable() ?? false;
const number = 41;
const promptMs = 700;

describe("a lab of three hosts", { skip }, () => {
  let lab: Lab;
  before(async () => {
    assert.deepEqual(tracesOf(number), [], "a lab with this number exists already");
    lab = await Lab.up({ hosts: 3, number });
  });
  after(async () => {
    await Lab.down(number);
  });

  test("hosts have their own names and hear each other", async () => {
    assert.equal((await lab.host(2).exec(["hostname"])).stdout, "host2\n");
    assert.equal(await pings(lab.host(1), lab.host(2)), true);
    assert.equal(await pings(lab.host(2), lab.host(3)), true);
  });

  test("every engine runs a container of the test image, which stops at once", async () => {
    for (const host of lab.hosts) {
      await engine(host, ["run", "-d", "--name", "kept", "gam/test:1"]);
      await engine(host, ["run", "-d", "--name", "web", "-p", "8080:80", "gam/test:2", "serve"]);
      assert.equal(await engine(host, ["ps", "-q"]).then(lines), 2);
    }
    const startMs = performance.now();
    await engine(lab.host(3), ["stop", "kept"]);
    const stopMs = performance.now() - startMs;
    assert.ok(stopMs < 5000, `docker stop took ${stopMs} ms: the image ignores SIGTERM`);
  });

  test("a published port answers from another host", async () => {
    const url = `http://${lab.host(2).address}:8080/cgi-bin/who`;
    const answer = await lab.host(1).exec(["timeout", "5", "busybox", "wget", "-qO-", url]);
    assert.match(answer.stdout, /10\.88\.41\.1/);
  });

  test("an unknown image fails at once, without waiting for DNS", async () => {
    const startMs = performance.now();
    const pull = await lab.host(1).docker(["pull", "nowhere:1"], { engine: true });
    assert.notEqual(pull.code, 0);
    assert.ok(performance.now() - startMs < 5000, "pulling waited for a name server");
  });

  test("a cut host hears no other until it is healed", async () => {
    await lab.host(1).cut();
    assert.equal(await pings(lab.host(1), lab.host(2)), false);
    assert.equal(await pings(lab.host(2), lab.host(3)), true);
    await lab.host(1).heal();
    assert.equal(await pings(lab.host(1), lab.host(2)), true);
  });

  test("a split keeps groups apart, and a host in no group hears all", async () => {
    await lab.split([[1], [2]]);
    assert.equal(await pings(lab.host(1), lab.host(2)), false);
    assert.equal(await pings(lab.host(1), lab.host(3)), true);
    assert.equal(await pings(lab.host(2), lab.host(3)), true);
    await lab.heal();
    assert.equal(await pings(lab.host(1), lab.host(2)), true);
  });

  test("loss is about as large as asked for, for all and for one host", async () => {
    // Both frames of a ping arrive with probability 0.25. Of 100 pings, 7 to 48 succeed but once in 10 million.
    const between = async (from: number, to: number): Promise<number> => {
      const words = ["busybox", "ping", "-c100", "-i0.01", "-W1", lab.host(to).address];
      const { stdout } = await lab.host(from).exec(words);
      return Number(stdout.match(/(\d+) packets received/)?.[1] ?? Number.NaN);
    };
    await lab.loss(50);
    const lossy = await between(1, 2);
    assert.ok(lossy >= 7 && lossy <= 48, `${lossy} of 100 came back`);
    await lab.loss(0);
    assert.equal(await between(1, 2), 100);
    await lab.host(1).loss(50);
    const ofOne = await between(2, 1);
    assert.ok(ofOne >= 7 && ofOne <= 48, `${ofOne} of 100 came back`);
    assert.equal(await between(2, 3), 100);
    await lab.heal();
  });

  test("a frozen host does nothing, and continues when it is thawed", async () => {
    const host = lab.host(2);
    await host.freeze();
    assert.equal((await host.exec(["true"], { timeoutMs: promptMs })).code, 124);
    await assert.rejects(
      engineCall(host.engineSocket, { path: "/_ping", timeoutMs: promptMs }),
      LabError,
    );
    await host.thaw();
    assert.equal((await host.exec(["true"])).code, 0);
    assert.equal((await engineCall(host.engineSocket, { path: "/_ping" })).status, 200);
  });

  test("a killed engine ends no other process, and starts again", async () => {
    const host = lab.host(3);
    await host.killEngine("SIGKILL");
    await assert.rejects(engineCall(host.engineSocket, { path: "/_ping" }), LabError);
    assert.equal(await pings(lab.host(1), host), true);
    await host.startEngine();
    assert.notEqual(await engine(host, ["ps", "-a", "-q"]).then(lines), 0);
  });

  test("an agent starts, is killed and starts again, without effect on its host", async () => {
    const host = lab.host(2);
    await host.startAgent();
    assert.equal((await host.docker(["version"])).code, 0);
    await host.killAgent("SIGKILL");
    await assert.rejects(engineCall(host.agentSocket, { path: "/_ping" }), LabError);
    assert.equal(await engine(host, ["ps", "-q"]).then(lines), 2);
    await host.startAgent();
    await host.killAgent("SIGTERM");
  });

  test("a host that loses power is gone at once, without closing its connections", async () => {
    const [dying, witness] = [lab.host(1), lab.host(2)];
    const hold = (words: string): string[] => ["sh", "-c", `sleep 600 | busybox nc ${words}`];
    // 2328 is port 9000; 0A is LISTEN, 01 is ESTABLISHED.
    const has = async (host: Host, socket: RegExp): Promise<boolean> =>
      socket.test((await host.exec(["cat", "/proc/net/tcp", "/proc/net/tcp6"])).stdout);
    await dying.spawn("listener", hold("-l -p 9000"));
    await until(() => has(dying, /:2328 \S+ 0A /));
    await witness.spawn("caller", hold(`${dying.address} 9000`));
    const connected = (): Promise<boolean> => has(witness, /:2328 01 /);
    await until(connected);
    await dying.kill();
    assert.equal(dying.isOn, false);
    assert.deepEqual(dying.pids(), []);
    assert.equal(await connected(), true, "the connection was reset or closed");
    assert.equal(await pings(witness, dying), false);
    await assert.rejects(dying.exec(["true"]), LabError);
  });

  test("a host that gets power again has its disk, its name and its address", async () => {
    const host = lab.host(1);
    await host.start();
    assert.equal(await pings(lab.host(2), host), true);
    assert.match(await engine(host, ["ps", "-a", "--format", "{{.Names}}"]), /^kept$/m);
    assert.equal(await engine(host, ["ps", "-q"]).then(lines), 0);
    await engine(host, ["start", "kept"]);
    await assert.rejects(host.start(), LabError);
  });

  test("a lab's number cannot be used twice, but another one can run beside it", async () => {
    await assert.rejects(Lab.up({ hosts: 1, number }), /Cannot start lab 41: it has been up since/);
    const other = await Lab.up({ hosts: 1, number: number + 1 });
    assert.equal(other.host(1).address, "10.88.42.1");
    await other.down();
    assert.deepEqual(tracesOf(number + 1), []);
    assert.equal(await pings(lab.host(1), lab.host(2)), true);
  });

  test("down leaves nothing, whatever state the lab is in", async () => {
    await lab.host(2).freeze();
    await lab.host(3).kill();
    assert.notDeepEqual(tracesOf(number), [], "the search for traces must find a running lab");
    await lab.down();
    assert.deepEqual(tracesOf(number), []);
    assert.equal(await Lab.down(number), false);
  });
});

test("a lab whose starter is killed half-way is taken down by its keeper", { skip }, async () => {
  const own = number + 2;
  const script = `import { Lab } from ${JSON.stringify(join(import.meta.dirname, "clusters/lab.ts"))};
    const lab = await Lab.up({ hosts: 1, number: ${own} });
    await lab.host(1).freeze();
    console.log("up");
    setInterval(() => 0, 1000);`;
  const starter = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => starter.stdout.once("data", resolve));
  starter.kill("SIGKILL");
  await until(async () => tracesOf(own).length === 0);
});

test("rulesOf() replaces the whole table and states each fault once", () => {
  const rules = rulesOf({
    cut: [4],
    groups: [[1, 2], [3]],
    lossPercent: 0.5,
    lossPercentOf: { 2: 10, 3: 0 },
  });
  assert.deepEqual(
    rules.split("\n").filter((line) => line.includes(" drop")),
    [
      `    iifname { "port1", "port2" } oifname { "port3" } drop`,
      `    iifname { "port3" } oifname { "port1", "port2" } drop`,
      "    numgen random mod 10000 < 50 drop",
      `    iifname { "port2" } numgen random mod 10000 < 1000 drop`,
      `    oifname { "port2" } numgen random mod 10000 < 1000 drop`,
    ],
  );
  assert.match(rules, /^add table bridge gam\ndelete table bridge gam\n/);
});

async function pings(from: Host, to: Host): Promise<boolean> {
  return (await from.exec(["busybox", "ping", "-c1", "-W1", to.address])).code === 0;
}

async function engine(host: Host, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await host.docker(args, { engine: true });
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout;
}

function lines(text: string): number {
  return text.split("\n").filter((line) => line !== "").length;
}

/** Waits until it holds. The limit only ends a test that would never end. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "timeout");
    await pause(20);
  }
}

/** Everything of a lab on this machine: processes, mounts, groups, links, files. */
function tracesOf(lab: number): string[] {
  const { folder, cgroup } = new LabState(lab);
  const mark = `gam-lab-${lab}`;
  const marked = (text: string): boolean => new RegExp(`${mark}(?!\\d)`).test(text);
  const traces: string[] = existsSync(folder) ? [folder] : [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const command = readOrEmpty(`/proc/${pid}/cmdline`);
    const isKeeper = command.includes("keeper.sh") && command.endsWith(`\0${lab}\0`);
    if (marked(command) || marked(readOrEmpty(`/proc/${pid}/cgroup`)) || isKeeper) {
      traces.push(`process ${pid} ${command.replaceAll("\0", " ")}`);
    }
  }
  for (const line of readOrEmpty("/proc/self/mountinfo").split("\n")) {
    if (marked(line)) traces.push(`mount ${line}`);
  }
  for (const line of readOrEmpty("/proc/mounts").split("\n")) {
    const [, path = "", type = ""] = line.split(" ");
    if (type.startsWith("cgroup") && existsSync(join(path, cgroup.name))) traces.push(path);
  }
  // A lab's links and tables are never outside of its namespace.
  const links = spawnSync("ip", ["-o", "link"]).stdout.toString();
  if (/: (switch|port\d+)[@:]/.test(links)) traces.push("a link of a lab");
  if (/bridge gam/.test(spawnSync("nft", ["list", "tables"]).stdout.toString())) traces.push("nft");
  return traces;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}
