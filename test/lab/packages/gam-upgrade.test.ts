/**
 * gam upgrade: hosts without Node get another package from one of them, under load, and whatever is killed meanwhile.
 *
 * One mesh serves all tests, in order: each begins with the state that the one before leaves. GAM_UPGRADE=load
 * takes five hosts, 300 requests and 20 writes a second; GAM_UPGRADE=kills ends each victim at every step, and tries
 * releases that do not work.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab, LabError, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { Load } from "../load/load.ts";
import {
  at,
  done,
  equip,
  type MadePackage,
  makePackages,
  personsWords,
  put,
  Successors,
  shelf,
} from "./package-hosts.ts";
import { Writer } from "./writer.ts";

const skip = labUnavailable() ?? false;
const number = 24;
const isLarge = process.env.GAM_UPGRADE === "load";
const killsAll = process.env.GAM_UPGRADE === "kills";
const members = isLarge ? 5 : 3;
const requestsPerSecond = isLarge ? 300 : 50;
const writesPerSecond = isLarge ? 20 : 5;
/** Only ends a test that would never end. */
const patienceMs = 180_000;
const pollMs = 5;

describe("a mesh that gam upgrade takes to another package", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-upgrade-"));
  let lab: Lab;
  let mesh: LabMesh;
  let made: Successors;
  let containers: string;
  const packages = new Map<string, MadePackage>();

  before(async () => {
    await makePackages(folder, ["deb"]);
    made = new Successors(folder);
    lab = await Lab.up({ hosts: members, number, echo: true });
    const [first, ...others] = lab.hosts;
    assert.ok(first !== undefined);
    for (const host of lab.hosts) {
      await equip(host);
      copyFileSync(made.first.file, host.path(`${shelf}/${fileName()}`));
      for (const name of ["SHA256SUMS", "install.sh"]) {
        copyFileSync(join(folder, name), host.path(`${shelf}/${name}`));
      }
      await done(host, `cd ${shelf} && sh install.sh ${fileName()}`);
    }
    const token = /gam join (\S+)/.exec(await done(first, "gam init"))?.[1];
    for (const host of others) await done(host, `gam join ${token}`);
    mesh = await LabMesh.of(lab);
    await mesh.createService(lab.host(1), "web", members, {
      TaskTemplate: { ContainerSpec: { Image: "gam/echo:1" } },
      EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 8080 }] },
    });
    await mesh.running(lab.host(1), "web", members);
    containers = await containersOf(mesh);
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true });
  });

  function fileName(): string {
    return made.first.file.slice(folder.length + 1);
  }

  async function allRun(version: string): Promise<void> {
    for (const host of lab.hosts) {
      const status = JSON.parse(await done(host, "gam status --json")) as {
        version: string;
        nodes: { hostname: string; version?: string; state: string }[];
      };
      assert.equal(status.version, version, host.name);
      assert.deepEqual(
        status.nodes.map((node) => `${node.hostname} ${node.version} ${node.state}`).sort(),
        lab.hosts.map(({ name }) => `${name} ${version} ready`),
      );
    }
    assert.equal(await containersOf(mesh), containers, "containers changed");
  }

  test("without a file it shows what runs, and says that a file is needed", async (t) => {
    const runs = 10;
    const times = await done(
      lab.host(2),
      `for i in $(seq ${runs}); do gam status >/run/out; done; times`,
    );
    const [user = 0, system = 0] = [...times.matchAll(/(\d+)m([\d.]+)s/g)]
      .slice(-2)
      .map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds));
    t.diagnostic(`gam status: ${((user + system) / runs).toFixed(3)} s of CPU`);
    const said = await done(lab.host(2), "gam upgrade");
    for (const { name } of lab.hosts) {
      assert.match(said, new RegExp(`${name} .*${made.first.version.replace("+", "\\+")}`));
    }
    assert.match(said, /gam upgrade --to FILE/);
  });

  test("a file that cannot be trusted, or does not fit, changes nothing", async () => {
    const host = lab.host(1);
    const cases = [
      ["gam upgrade --to none.deb", /packages are named gam_VERSION/],
      [`cp ${fileName()} /tmp && gam upgrade --to /tmp/${fileName()}`, /no sum to check it with/],
      [`gam upgrade --to ${fileName()} --sha256 ${"0".repeat(64)}`, /and 0{64} was expected/],
      ["gam upgrade --back", /all hosts run .* and keep no earlier package/],
      [`gam upgrade --to ${fileName()} --skip host9`, /there is no such host/],
    ] as const;
    for (const [line, message] of cases) {
      const ended = await at(host, `cd ${shelf} && ${line}`);
      assert.equal(ended.code, 1, line);
      assert.match(ended.stderr, message);
    }
    await allRun(made.first.version);
  });

  test("all hosts are upgraded under load without a failed request or a lost write", async (t) => {
    const next = made.make("000000000002");
    const file = put(lab.host(1), next);
    const plan = await done(lab.host(1), `gam upgrade --to ${file} --plan`);
    assert.match(plan, /host1/);
    await allRun(made.first.version);
    const urls = lab.hosts.map(({ address }) => `http://${address}:8080/`);
    const load = await Load.start(lab.host(members), { urls, perSecond: requestsPerSecond });
    await load.underWay();
    const writer = new Writer(lab.hosts, writesPerSecond);
    const beganMs = performance.now();
    const said = await done(lab.host(1), `gam upgrade --to ${file}`);
    const tookMs = performance.now() - beganMs;
    load.end();
    const [requests, writes] = [await load.result(), await writer.end()];
    t.diagnostic(said.trim().replaceAll("\n", " | "));
    t.diagnostic(
      `${members} hosts in ${(tookMs / 1000).toFixed(1)} s: ${requests.answered} of ${requests.sent} requests answered, ` +
        `p99 ${requests.p99Ms.toFixed(0)} ms; ${writes.written} writes, the slowest ${writes.slowestMs.toFixed(0)} ms`,
    );
    assert.match(said, /All hosts run 0\.1\.0\+000000000002/);
    await allRun(next.version);
    assert.deepEqual(requests.failures, {});
    assert.deepEqual([writes.lost, writes.failed], [[], []]);
  });

  test("a release whose agent does not start goes back by itself", {
    skip: !killsAll,
  }, async () => {
    const broken = made.make(
      "00000000bad1",
      'if (!process.argv.includes("--help")) process.exit(3);',
    );
    const file = put(lab.host(1), broken);
    const ended = await at(lab.host(1), `gam upgrade --to ${file}`);
    assert.equal(ended.code, 1, ended.stdout);
    assert.match(ended.stderr, /the new agent did not start, and the host has gone back by itself/);
    // The host may have been away for so long that its task went elsewhere.
    await mesh.ready(lab.host(1), members, patienceMs);
    await mesh.running(lab.host(1), "web", members);
    containers = await containersOf(mesh);
    await allRun("0.1.0+000000000002");
  });

  test("a package that does not install leaves the host as it was", {
    skip: !killsAll,
  }, async () => {
    const broken = made.make("00000000bad2", "process.exit(3);");
    const file = put(lab.host(1), broken);
    const ended = await at(lab.host(1), `gam upgrade --to ${file}`);
    assert.equal(ended.code, 1, ended.stdout);
    assert.match(ended.stderr, /could not be installed, and the host was left as it was/);
    await allRun("0.1.0+000000000002");
  });

  // Which of them are killed, at which step of which host.
  const kills: readonly (readonly [Step, Victim][])[] = killsAll
    ? stepNames.flatMap((step) => victims.map((victim) => [[step, victim]] as [Step, Victim][]))
    : [
        [
          ["installing", "command"],
          ["restarting", "agent"],
        ],
      ];
  for (const [at, round] of kills.entries()) {
    const name = round.map(([step, victim]) => `the ${victim} while ${step}`).join(", then ");
    test(`the same command goes on after the end of ${name}`, async () => {
      const builds = ["000000000003", "000000000004"] as const;
      const build = builds[at % 2] ?? builds[0];
      const next = packages.get(build) ?? made.make(build);
      packages.set(build, next);
      const file = put(lab.host(1), next);
      const sum = (await done(lab.host(1), `sha256sum ${file}`)).slice(0, 64);
      for (const [step, victim] of round) {
        const command = await lab
          .host(1)
          .spawn(`upgrade-${at}-${step}`, personsWords(`gam upgrade --to ${file}`));
        const host = await reached(lab.hosts, { step, sum, isOver: () => !command.running });
        const other = lab.hosts.find((one) => one !== host && one.number !== 1) ?? lab.host(1);
        const leader = victim === "leader" ? await mesh.leader(other) : 0;
        await kill(lab.host({ command: 1, agent: host.number, leader }[victim]), victim);
        while (victim !== "command" && command.running) await pause(pollMs);
      }
      await goOn(lab.hosts, `gam upgrade --to ${file}`);
      await mesh.ready(lab.host(1), members, patienceMs);
      await mesh.running(lab.host(1), "web", members);
      // An agent that nobody starts for 15 s loses its tasks.
      containers = await containersOf(mesh);
      await allRun(next.version);
    });
  }

  test("all hosts go back by one command, and only once", async () => {
    const before = JSON.parse(await done(lab.host(2), "gam status --json")) as { version: string };
    const said = await done(lab.host(2), "gam upgrade --back");
    const version = /All hosts run (\S+)/.exec(said)?.[1] ?? "";
    assert.notEqual(version, before.version);
    await allRun(version);
    const again = await at(lab.host(1), "gam upgrade --back");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /have gone back already/);
  });
});

const stepNames = ["sending", "installing", "restarting", "starting"] as const;
type Step = (typeof stepNames)[number];
const victims = ["command", "agent", "leader"] as const;
type Victim = (typeof victims)[number];

/** Returns: the first host that is at that step with the package. Errors: LabError when all is over before. */
async function reached(
  hosts: readonly Host[],
  {
    step,
    sum,
    isOver,
  }: { readonly step: Step; readonly sum: string; readonly isOver: () => boolean },
): Promise<Host> {
  const kept = "/var/cache/gam/packages";
  const words = {
    sending: "",
    installing: "installing gam",
    restarting: "stopping the agent",
    starting: "starting the agent",
  };
  const read = (host: Host, name: string): string => {
    const path = host.path(`${kept}/${name}`);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };
  while (!isOver()) {
    for (const host of hosts) {
      const folder = host.path(`${kept}/${sum}`);
      const isSending =
        existsSync(folder) && readdirSync(folder).some((one) => one.endsWith(".part"));
      const isInstalling =
        read(host, "run").trim() === sum && !read(host, "result").startsWith(sum);
      if (
        step === "sending" ? isSending : isInstalling && read(host, "log").includes(words[step])
      ) {
        return host;
      }
    }
    await pause(pollMs);
  }
  throw new LabError(`No host was seen ${step}`);
}

async function kill(host: Host, victim: Victim): Promise<void> {
  // The pattern does not match this command itself.
  const pattern = victim === "command" ? "gam.cjs upgrad[e]" : "agent.mj[s]";
  await at(host, `pkill -KILL -f '${pattern}'`);
}

/** Starts agents that nobody looks after, and repeats the command until it says that all is done. */
async function goOn(hosts: readonly Host[], line: string): Promise<void> {
  const [first] = hosts;
  assert.ok(first !== undefined);
  for (let count = 0; ; count += 1) {
    for (const host of hosts) {
      if ((await at(host, "gam status")).code === 0) continue;
      const words = personsWords("GAM_BACKGROUND=1 exec gam agent");
      await host.spawn("agent", words);
    }
    const { code, stderr } = await at(first, line);
    if (code === 0) return;
    assert.ok(count < 3, stderr);
  }
}

async function containersOf(mesh: LabMesh): Promise<string> {
  const places = await mesh.places("web");
  return places
    .map((place) => JSON.stringify(place))
    .sort()
    .join("\n");
}
