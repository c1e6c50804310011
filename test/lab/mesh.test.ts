/**
 * The whole of gam on real hosts: a mesh is formed, attacked, loses hosts and is started again.
 *
 * Each lab serves several tests, in order: each begins with the state that the one before leaves.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { engineCall } from "./hosts/engine-call.ts";

const skip = labUnavailable() ?? false;
const [attacked, bereaved] = [60, 61];
/** Only ends a test that would never end. */
const patienceMs = 120_000;

describe("a mesh of three hosts, and a fourth that is not a member", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let stranger: Host;
  let term: number;
  before(async () => {
    lab = await Lab.up({ hosts: 4, number: attacked, agents: true });
    stranger = lab.host(4);
    mesh = await LabMesh.form(lab, 3);
    await mesh.createService(lab.host(2), "web", 6);
    await mesh.running(lab.host(3), "web", 6);
    term = await termOf(mesh, lab.host(1));
  });
  after(async () => {
    await Lab.down(attacked);
  });

  test("an agent without a mesh says so, and what to do", async () => {
    const { stdout } = await stranger.gam(["status"]);
    assert.match(stdout, /This host is in no mesh/);
    assert.match(stdout, /gam join TOKEN/);
    assert.match((await stranger.docker(["node", "ls"])).stderr, /not a swarm manager/);
  });

  test("a joiner sees why its wrong token is refused, and the member logs it", async () => {
    const token = await managerToken(lab.host(1));
    const wrong = token.replace(/^(gam-1-\w{25})-\w{25}/, `$1-${"0".repeat(25)}`);
    const { code, stderr } = await stranger.gam(["join", wrong]);
    assert.notEqual(code, 0);
    assert.match(stderr, /the token is wrong or was rotated/);
    await logged(mesh, [lab.host(1)], /Peer refused/, { refusal: "join" });
  });

  test("a joiner itself refuses a token of another cluster", async () => {
    const token = await managerToken(lab.host(1));
    const foreign = token.replace(/^gam-1-\w{25}/, `gam-1-${"0".repeat(25)}`);
    const { code, stderr } = await stranger.gam(["join", foreign]);
    assert.notEqual(code, 0);
    assert.match(stderr, /the token is of another cluster/);
  });

  test("a rotated token is refused, and the new one shown", async () => {
    const token = await managerToken(lab.host(1));
    await docker(lab.host(2), "swarm", "join-token", "--rotate", "--quiet", "manager");
    assert.match((await stranger.gam(["join", token])).stderr, /the token is wrong or was rotated/);
    assert.notEqual(await managerToken(lab.host(1)), token);
  });

  test("random bytes and plain HTTP on the mesh's port are cut off, and logged", async () => {
    const to = lab.host(1).address;
    const sends = [
      "head -c 100000 /dev/urandom",
      "head -c 100000000 /dev/zero",
      "printf 'GET / HTTP/1.1\\r\\n\\r\\n'",
    ];
    for (const bytes of sends) {
      await stranger.exec(["sh", "-c", `${bytes} | timeout 20 busybox nc ${to} 7946`]);
    }
    const { address } = await logged(mesh, [lab.host(1)], /Peer refused/, { refusal: "handshake" });
    assert.match(String(address), new RegExp(`^${stranger.address.replaceAll(".", "\\.")}:`));
  });

  for (const protocol of ["/gam/hello/1", "/gam/join/1", "/gam/raft/1"]) {
    test(`a frame of 100 MB on ${protocol} is cut off at its first bytes, and logged`, async () => {
      const script = fileURLToPath(new URL("./attack/rude-peer.ts", import.meta.url));
      const to = `${lab.host(1).address}:7946`;
      const beforeMiB = residentMiB(lab.host(1));
      const rude = await stranger.exec(["node", script, to, protocol, "100000000"]);
      assert.equal(rude.code, 0, rude.stderr);
      await logged(mesh, [lab.host(1)], /Peer refused/, { peer: rude.stdout.trim() });
      const grownMiB = residentMiB(lab.host(1)) - beforeMiB;
      assert.ok(grownMiB < 50, `the agent grew by ${grownMiB} MiB`);
    });
  }

  test("a removed peer is cut off, hears why when it comes back, and may join again", async () => {
    const [host, other] = [lab.host(3), lab.host(2)];
    await host.killAgent("SIGKILL");
    await docker(other, "node", "rm", "--force", host.name);
    await mesh.running(other, "web", 6, [3]);
    await host.startAgent();
    await mesh.until("it knows", patienceMs, async () => (await stateOf(host)) === "inactive");
    await logged(mesh, lab.hosts.slice(0, 2), /Peer refused/, { refusal: "removed" });
    await mesh.until("nothing of the cluster runs there", patienceMs, async () => {
      return (await mesh.places("web")).every(({ host }) => host !== 3);
    });
    await joinAt(host, other);
    await mesh.ready(other, 3, patienceMs);
  });

  test("none of that affected the mesh", async () => {
    assert.equal(await termOf(mesh, lab.host(1)), term, "another leader was elected");
    await eachSlotOnce(mesh, 6);
  });

  test("a port that a firewall blocks is reported before any network needs it", async () => {
    const firewall = async (order: string): Promise<void> => {
      const rule = ["INPUT", "-p", "udp", "--dport", "4789", "-j", "DROP"];
      const { code, stderr } = await lab.host(2).exec(["iptables", order, ...rule]);
      assert.equal(code, 0, stderr);
    };
    await firewall("-A");
    const ill = await lab.host(3).gam(["doctor", "--json"]);
    await firewall("-D");
    const checks: { result: string; subject: string; found: string }[] = JSON.parse(
      ill.stdout,
    ).checks;
    const wrong = checks.filter(({ result }) => result !== "passed");
    assert.deepEqual(
      wrong.map(({ subject, found }) => `${subject}: ${found}`),
      [
        "host1 to host2: Packets to 4789/udp do not arrive",
        "host3 to host2: Packets to 4789/udp do not arrive",
      ],
    );
    assert.equal(ill.code, 1);
    const well = await lab.host(3).gam(["doctor"]);
    assert.deepEqual([well.code, well.stdout.match(/overlay +(.*)/)?.[1]], [0, "6 passed"]);
  });

  test("the root key is replaced on every host, and the tunnels' keys with it", async () => {
    const members = lab.hosts.slice(0, 3);
    const tunnelKeys = (): Promise<string[]> =>
      Promise.all(
        members.map(async (host) => {
          const { stdout } = await host.exec(["sha256sum", "/var/lib/gam/tunnel/wireguard.key"]);
          return stdout;
        }),
      );
    const [trusted, token, keys] = [
      await docker(lab.host(1), "swarm", "ca"),
      await managerToken(lab.host(1)),
      await tunnelKeys(),
    ];
    await docker(lab.host(2), "swarm", "ca", "--rotate");
    const replaced = await docker(lab.host(2), "swarm", "ca");
    assert.match(replaced, /BEGIN CERTIFICATE/);
    assert.notEqual(replaced, trusted);
    assert.equal(await docker(lab.host(3), "swarm", "ca"), replaced);
    await mesh.until("every host has another key for tunnels", patienceMs, async () => {
      const now = await tunnelKeys();
      return now.every((key, index) => key !== keys[index]);
    });
    const { stderr } = await stranger.gam(["join", token]);
    assert.match(stderr, /from before its root key was replaced/);
  });

  test("replacing the root key waits for a host that is away, whatever happens meanwhile", async () => {
    const [first, away] = [lab.host(1), lab.host(3)];
    const trusted = await docker(first, "swarm", "ca");
    await away.killAgent("SIGKILL");
    await docker(lab.host(2), "swarm", "ca", "--rotate", "--detach");
    const waits = async (): Promise<boolean> =>
      (await first.gam(["status"])).stdout.includes("waiting for host3");
    await mesh.until("all others have it", patienceMs, waits);
    for (const host of [first, lab.host(2)]) {
      await host.killAgent("SIGKILL");
      await host.startAgent();
    }
    await mesh.until("they still wait", patienceMs, waits);
    assert.equal(await docker(first, "swarm", "ca"), trusted);
    await away.startAgent();
    await mesh.until("it is replaced", patienceMs, async () => {
      const all = await Promise.all(
        lab.hosts.slice(0, 3).map((one) => one.docker(["swarm", "ca"])),
      );
      return all.every(({ code, stdout }) => code === 0 && stdout.trim() !== trusted.trim());
    });
    await mesh.ready(first, 3, patienceMs);
  });

  test("a node is drained and made active again", async () => {
    await docker(lab.host(1), "node", "update", "--availability", "drain", "host2");
    await mesh.until("nothing runs on host2", patienceMs, async () => {
      const places = await mesh.places("web");
      return places.length === 6 && places.every(({ host }) => host !== 2);
    });
    await docker(lab.host(3), "node", "update", "--availability", "active", "host2");
    await docker(lab.host(3), "service", "scale", "--detach", "web=9");
    await mesh.until("new replicas come to host2", patienceMs, async () => {
      const places = await mesh.places("web");
      return places.length === 9 && places.some(({ host }) => host === 2);
    });
  });

  test("logs of every replica are read at any host", async () => {
    const words = ["sh", "-c", "echo hello from $(hostname); exec idle"];
    const create = ["service", "create", "--quiet", "--name", "talk", "--replicas", "3"];
    await docker(lab.host(1), ...create, "gam/test:1", ...words);
    for (const host of lab.hosts.slice(0, 3)) {
      const said = await docker(host, "service", "logs", "talk");
      const slots = said
        .split("\n")
        .flatMap((line) => /^talk\.(\d)\S*@.* hello/.exec(line)?.[1] ?? []);
      assert.deepEqual(slots.sort(), ["1", "2", "3"], said);
    }
    await docker(lab.host(2), "service", "rm", "talk");
  });

  test("a container that no task owns is removed", async () => {
    const { ID } = await mesh.call<{ ID: string }>(lab.host(1), "GET", "/swarm");
    const labels = [`gam.cluster=${ID}`, "com.docker.swarm.task.id=nobodyknowsthistaskatall1"];
    const words = labels.flatMap((label) => ["--label", label]);
    // Created but not started: it may be removed before a start.
    const create = ["create", "--name", "stray", ...words, "gam/test:1"];
    assert.equal((await lab.host(2).docker(create, { engine: true })).code, 0);
    await mesh.until("it is gone", patienceMs, async () => {
      const path = "/containers/stray/json";
      return (await engineCall(lab.host(2).engineSocket, { path })).status === 404;
    });
  });

  test("a host without its engine is not ready, says why, and is ready again with it", async () => {
    const host = lab.host(2);
    await host.killEngine("SIGKILL");
    await mesh.until("it is not ready", patienceMs, async () => {
      const node = await nodeOf(mesh, lab.host(1), 2);
      return node.Status.State !== "ready" && (node.Status.Message ?? "") !== "";
    });
    const { Status } = await nodeOf(mesh, lab.host(1), 2);
    assert.match(Status.Message ?? "", /engine/i);
    await host.startEngine();
    await mesh.ready(lab.host(1), 3, patienceMs);
    await eachSlotOnce(mesh, 9);
  });

  test("a host that leaves removes its containers, and may join again", async () => {
    const host = lab.host(3);
    const { code, stderr } = await host.gam(["leave"], { timeoutMs: patienceMs });
    assert.equal(code, 0, stderr);
    assert.ok((await mesh.places("web")).every((place) => place.host !== 3));
    await mesh.until("it is not a member", patienceMs, async () => {
      return (await mesh.nodes(lab.host(1))).every(
        ({ Description }) => Description.Hostname !== "host3",
      );
    });
    await mesh.running(lab.host(1), "web", 9);
    await joinAt(host, lab.host(1));
    await mesh.ready(lab.host(1), 3, patienceMs);
  });
});

describe("a mesh of five hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  const replicas = 10;
  before(async () => {
    lab = await Lab.up({ hosts: 5, number: bereaved, agents: true });
    mesh = await LabMesh.form(lab);
    await mesh.createService(lab.host(2), "web", replicas);
    await mesh.running(lab.host(3), "web", replicas);
  });
  after(async () => {
    await Lab.down(bereaved);
  });

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    test(`an agent that ends by ${signal} and returns adopts its containers unchanged`, async () => {
      const leader = await mesh.leader(lab.host(1));
      const victims = [lab.host(leader), lab.host((leader % 5) + 1)];
      const places = await mesh.places("web");
      const tasks = await taskIds(mesh, lab.host(1));
      for (const host of victims) {
        await host.killAgent(signal);
        const asked = lab.hosts.find((other) => other !== host) ?? host;
        await mesh.until("the others have noticed", patienceMs, async () => {
          const node = await nodeOf(mesh, asked, host.number);
          return node.ManagerStatus?.Reachability !== "reachable";
        });
        await host.startAgent();
        await mesh.until("it is heard again", patienceMs, async () => {
          const node = await nodeOf(mesh, asked, host.number);
          return node.ManagerStatus?.Reachability === "reachable";
        });
        await mesh.call(host, "GET", "/tasks");
      }
      await mesh.running(lab.host(leader), "web", replicas);
      assert.deepEqual(await mesh.places("web"), places);
      assert.deepEqual(await taskIds(mesh, lab.host(leader)), tasks);
    });
  }

  test("replicas of a host that lost power run elsewhere, and it comes back empty", async () => {
    const leader = await mesh.leader(lab.host(1));
    const [victim, asked] = lab.hosts.filter(({ number }) => number !== leader);
    assert.ok(victim !== undefined && asked !== undefined);
    await victim.kill();
    await mesh.running(asked, "web", replicas, [victim.number]);
    const node = await nodeOf(mesh, asked, victim.number);
    assert.equal(node.Status.State, "down");
    await back(victim);
    await mesh.ready(asked, 5, patienceMs);
    await eachSlotOnce(mesh, replicas);
  });

  test("another peer leads, accepts writes and moves tasks when the leader's host is lost", async () => {
    const leader = await mesh.leader(lab.host(1));
    const asked = lab.host((leader % 5) + 1);
    await lab.host(leader).kill();
    await docker(asked, "service", "scale", "--detach", `web=${replicas + 2}`);
    await mesh.running(asked, "web", replicas + 2, [leader]);
    assert.notEqual(await mesh.leader(asked), leader);
    await back(lab.host(leader));
    await mesh.ready(asked, 5, patienceMs);
    await docker(lab.host(leader), "service", "scale", "--detach", `web=${replicas}`);
    await eachSlotOnce(mesh, replicas);
  });

  test("no slot runs twice after a cable was out until its tasks were moved", async () => {
    const leader = await mesh.leader(lab.host(1));
    const asked = lab.host(leader);
    // A host that came back may have no tasks.
    const places = await mesh.places("web");
    const cut = lab.hosts.find(({ number }) => {
      return number !== leader && places.some(({ host }) => host === number);
    });
    assert.ok(cut !== undefined, "all tasks run on the leader's host");
    await cut.cut();
    await mesh.running(asked, "web", replicas, [cut.number]);
    await cut.heal();
    await mesh.ready(asked, 5, patienceMs);
    await eachSlotOnce(mesh, replicas);
    assert.deepEqual(
      (await mesh.places("web")).map(({ task }) => task).sort(),
      await taskIds(mesh, cut),
    );
  });

  test("after all hosts lost power at once, every acknowledged write is kept", async () => {
    const acknowledged: string[] = [];
    const write = async (host: Host): Promise<void> => {
      for (let n = 0; ; n += 1) {
        const name = `${host.name}-${n}`;
        await mesh.createService(host, name, 0);
        acknowledged.push(name);
        if (acknowledged.length === writes) enough.resolve();
      }
    };
    const writes = 100;
    const enough = Promise.withResolvers<void>();
    const writers = lab.hosts.map((host) => write(host).catch(onlyLabErrors));
    await enough.promise;
    await Promise.all(lab.hosts.map((host) => host.kill()));
    await Promise.all(writers);
    await Promise.all(lab.hosts.map(back));
    for (const host of lab.hosts) {
      // A write at that host, so that its copy has all earlier writes.
      await mesh.until("a write is accepted", patienceMs, async () => {
        await mesh.touch(host, "web");
        return true;
      });
      const services = await mesh.call<{ Spec: { Name: string } }[]>(host, "GET", "/services");
      const names = new Set(services.map(({ Spec }) => Spec.Name));
      assert.deepEqual(
        acknowledged.filter((name) => !names.has(name)),
        [],
      );
    }
    await mesh.ready(lab.host(1), 5, patienceMs);
    await eachSlotOnce(mesh, replicas);
  });
});

async function docker(host: Host, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await host.docker(args, { timeoutMs: patienceMs });
  assert.equal(code, 0, `docker ${args.join(" ")} at ${host.name}: ${stdout}${stderr}`);
  return stdout;
}

async function managerToken(host: Host): Promise<string> {
  const { code, stdout, stderr } = await host.gam(["token", "--role", "manager"]);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

async function joinAt(host: Host, at: Host): Promise<void> {
  const { code, stderr } = await host.gam(["join", await managerToken(at)]);
  assert.equal(code, 0, stderr);
}

async function back(host: Host): Promise<void> {
  await host.start();
  await host.startAgent();
}

async function stateOf(host: Host): Promise<string> {
  const { status, text } = await engineCall(host.agentSocket, { path: "/gam/v1/status" });
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { state: string }).state;
}

async function termOf(mesh: LabMesh, host: Host): Promise<number> {
  return (await mesh.call<{ term: number }>(host, "GET", "/gam/v1/status")).term;
}

async function nodeOf(
  mesh: LabMesh,
  host: Host,
  number: number,
): Promise<Awaited<ReturnType<LabMesh["nodes"]>>[number]> {
  const nodes = await mesh.nodes(host);
  const node = nodes.find(({ Description }) => Description.Hostname === `host${number}`);
  assert.ok(node !== undefined, `host${number} is not a member`);
  return node;
}

function residentMiB(host: Host): number {
  const status = readFileSync(`/proc/${host.agentPid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

/** Ids of tasks with desired state running, on any host. */
async function taskIds(mesh: LabMesh, host: Host): Promise<string[]> {
  const tasks = await mesh.tasks(host, "web");
  return tasks
    .filter(({ DesiredState }) => DesiredState === "running")
    .map(({ ID }) => ID)
    .sort();
}

/** Waits until the engines have `count` slots with a container, and none with two. */
async function eachSlotOnce(mesh: LabMesh, count: number): Promise<void> {
  let found = "";
  await mesh.until(
    () => `${count} slots run once each (now ${found})`,
    patienceMs,
    async () => {
      const slots = (await mesh.places("web")).map(({ slot }) => slot).sort();
      found = slots.join(" ");
      return slots.length === count && new Set(slots).size === count;
    },
  );
}

/** Waits for a log line with this message and these fields, in one of the agents' logs. */
async function logged(
  mesh: LabMesh,
  hosts: readonly Host[],
  message: RegExp,
  fields: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const fits = (entry: Record<string, unknown>): boolean =>
    message.test(String(entry.msg)) &&
    Object.entries(fields).every(([name, value]) => entry[name] === value);
  let found: Record<string, unknown> | undefined;
  await mesh.until(`a log says ${message} ${JSON.stringify(fields)}`, patienceMs, async () => {
    found = hosts.flatMap(logOf).find(fits);
    return found !== undefined;
  });
  return found ?? {};
}

function logOf(host: Host): Record<string, unknown>[] {
  return readFileSync(join(host.folder, "logs/agent.log"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function onlyLabErrors(thrown: unknown): void {
  if (!(thrown instanceof LabError)) throw thrown;
}
