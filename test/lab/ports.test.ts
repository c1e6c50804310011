/**
 * Published ports and names on real hosts: who answers a client from outside, which address the task sees, what a
 * firewall script breaks, and which names a container of several networks resolves.
 *
 * Host 4 is the client and no member. One mesh serves all tests, in order.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";
import { tasksOf } from "./clusters/rolling-update.ts";
import { Talk } from "./clusters/talk.ts";
import {
  type Answer,
  askAt,
  askingSocketOf,
  askingSocketOn,
  type Container,
  inspect,
  type Question,
  startAsker,
} from "./load/echo.ts";
import { spreadOf } from "./load/even-spread.ts";
import { Load } from "./load/load.ts";
import { mustRun } from "./load/must-run.ts";

const programs = { wg: "wireguard-tools", "wireguard-go": "wireguard-go" };
const skip = labUnavailable(programs) ?? false;
const number = 32;
const patienceMs = 30_000;
const port = 8080;
const members = 3;

describe("published ports of three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let client: Host;

  before(async () => {
    lab = await Lab.up({ hosts: members + 1, number, agents: true, echo: true });
    mesh = await LabMesh.form(lab, members);
    client = lab.host(members + 1);
    await Promise.all(lab.hosts.map(startAsker));
    const create = ["network", "create", "-d", "overlay", "--attachable", "shop_front"];
    await mustDocker(lab.host(1), create);
    await createWeb();
  });
  after(async () => {
    await Lab.down(number);
  });

  test("300 connections to one host are spread evenly over the tasks of all", async (t) => {
    // One in a hundred fair spreads counts as uneven. Twice in a row: one in ten thousand.
    for (let tries = 1; ; tries += 1) {
      const urls = [`http://${lab.host(1).address}:${port}/`];
      const { failures, servers } = await (
        await Load.start(client, { urls, count: 300, atOnce: 8 })
      ).result();
      assert.deepEqual(failures, {});
      const counts = Object.values(servers);
      t.diagnostic(`connections by task: ${counts.join(", ")}`);
      if (counts.length === members && spreadOf(counts).even) break;
      assert.ok(tries < 2, "uneven twice");
    }
  });

  test("the task of each host sees the client's address, by TCP and by UDP", async () => {
    await seeClient();
  });

  test("with gam.ingress=local the asked host's task answers, and all tasks again without", async () => {
    const update = ["service", "update", "--detach", "--quiet"];
    await mustDocker(lab.host(2), [...update, "--label-add", "gam.ingress=local", "web"]);
    for (const host of lab.hosts.slice(0, members)) {
      const [task] = (await tasksOf(mesh, "web")).filter((one) => one.host === host);
      await until("only its own task answers", async () => {
        const servers = serversOf(await ask(client, "http", host, 12));
        return servers.length === 1 && servers[0] === task?.hostname;
      });
    }
    await mustDocker(lab.host(2), [...update, "--label-rm", "gam.ingress", "web"]);
    await until("all answer", async () => {
      return serversOf(await ask(client, "http", lab.host(1), 30)).length === members;
    });
    const wrong = [...update, "--label-add", "gam.ingress=lokal", "web"];
    const { code, stderr } = await lab.host(2).docker(wrong);
    assert.notEqual(code, 0);
    assert.match(stderr, /label "gam.ingress" has the value "lokal"/);
  });

  test("connections outlive a restart of all agents", async () => {
    const talk = await talkTo(lab.host(1));
    const hosts = lab.hosts.slice(0, members);
    await Promise.all(hosts.map((host) => host.killAgent("SIGKILL")));
    await goesOn(talk);
    await Promise.all(hosts.map((host) => host.startAgent()));
    await mesh.ready(lab.host(1), members, patienceMs);
    await goesOn(talk);
    talk.stop();
    assert.deepEqual(talk.troubles(), []);
  });

  const scripts: readonly (readonly [string, string, RegExp | undefined])[] = [
    [
      "iptables -F FORWARD with the policy DROP",
      "iptables -P FORWARD DROP; iptables -F FORWARD",
      /FORWARD/,
    ],
    ["iptables -F DOCKER-USER", "iptables -F DOCKER-USER", undefined],
    ["iptables -t nat -F", "iptables -t nat -F", undefined],
    ["sysctl net.ipv4.ip_forward=0", "sysctl -qw net.ipv4.ip_forward=0", /IP forwarding/],
  ];
  for (const [name, script, told] of scripts) {
    test(`ports answer again, from all hosts, after "${name}"`, async (t) => {
      const hosts = lab.hosts.slice(0, members);
      await Promise.all(hosts.map((host) => mustRun(host, ["sh", "-c", script])));
      const sinceMs = performance.now();
      await seeClient();
      t.diagnostic(`after ${(performance.now() - sinceMs).toFixed(0)} ms`);
      if (told === undefined) return;
      await until("status says it", async () => {
        const { stdout } = await lab.host(1).gam(["status"]);
        return told.test(stdout);
      });
    });
  }

  const names = ["web", "tasks.web", "here", "there", "spade"];
  test("each kind of name resolves with the network's name too, and for members only", async () => {
    const [one, two] = [lab.host(1), lab.host(2)];
    const here = await run(one, ["--name", "here", "--network", "shop_front"]);
    const alias = ["--network-alias", "spade"];
    const there = await run(two, ["--name", "there", "--network", "shop_front", ...alias]);
    const stranger = await run(two, []);
    const tasks = await tasksOf(mesh, "web");
    const all = [
      ...names,
      ...tasks.flatMap(({ name, hostname }) => [name, hostname]),
      ...[here, there].map(({ hostname }) => hostname),
    ].map((name) => `${name}.shop_front`);
    for (const from of [here, there]) {
      await until("all names resolve", async () => {
        const answers = await lookUp(from, all);
        return answers.every(({ addresses = [] }) => addresses.length > 0);
      });
      const [typo] = await lookUp(from, ["typo.shop_front"]);
      assert.match(typo?.trouble ?? "", /ENOTFOUND/);
    }
    const foreign = await lookUp(stranger, ["web.shop_front"]);
    assert.notEqual(foreign[0]?.trouble, undefined);
  });

  describe("a container that joins a network after its start", () => {
    const orders: readonly {
      readonly name: string;
      readonly first: string;
      readonly steps: readonly string[];
      readonly finds: readonly string[];
    }[] = [
      {
        name: "a local network, then two of gam's",
        first: "lan",
        steps: ["connect shop_front", "connect shop_back"],
        finds: ["web", "backer", "backer.shop_back", "neighbour"],
      },
      {
        name: "a local network, then two of gam's, and the first one of them has gone",
        first: "lan",
        steps: ["connect shop_front", "connect shop_back", "disconnect shop_front"],
        finds: ["backer", "neighbour"],
      },
      {
        name: "a local network that has gone",
        first: "lan",
        steps: ["connect shop_front", "disconnect lan"],
        finds: ["web"],
      },
      {
        name: "one of gam's that has gone, and another one",
        first: "shop_front",
        steps: ["connect lan", "connect shop_back", "disconnect shop_front"],
        finds: ["backer", "neighbour"],
      },
    ];
    const joined: { readonly name: string; readonly container: Container }[] = [];
    let one: Host;

    before(async () => {
      one = lab.host(1);
      await mustDocker(one, ["network", "create", "lan"]);
      await run(one, ["--name", "neighbour", "--network", "lan"]);
      await mustDocker(one, ["network", "create", "-d", "overlay", "--attachable", "shop_back"]);
      await run(lab.host(2), ["--name", "backer", "--network", "shop_back"]);
    });

    test("resolves names: a local network of an engine that asks the host's loopback", async () => {
      const two = lab.host(2);
      await mustRun(two, ["sh", "-c", "echo nameserver 127.0.0.1 > /etc/resolv.conf"]);
      await mustDocker(two, ["network", "create", "lan"]);
      await run(two, ["--name", "beside", "--network", "lan"]);
      const container = await run(two, ["--network", "lan"]);
      await resolves(container, ["beside"]);
      await mustDocker(two, ["network", "connect", "shop_front", container.id]);
      await resolves(container, ["web", "web.shop_front", "beside"]);
      await mustDocker(two, ["network", "disconnect", "shop_front", container.id]);
      await resolves(container, ["beside"]);
    });

    for (const { name, first, steps, finds } of orders) {
      test(`resolves names: ${name}`, async () => {
        const container = await run(one, ["--network", first]);
        for (const step of steps) {
          const [verb = "", network = ""] = step.split(" ");
          await mustDocker(one, ["network", verb, network, container.id]);
        }
        await resolves(container, finds);
        joined.push({ name, container });
      });
    }

    test("all of them do so after a restart of the agent", async () => {
      await one.killAgent("SIGKILL");
      await one.startAgent();
      for (const { name, container } of joined) {
        const finds = orders.find((order) => order.name === name)?.finds ?? [];
        await resolves(container, finds);
      }
    });

    async function resolves(container: Container, finds: readonly string[]): Promise<void> {
      let last: readonly Answer[] = [];
      const looked = until(`it resolves ${finds.join(", ")}`, async () => {
        last = await lookUp(container, finds);
        return last.every(({ addresses = [] }) => addresses.length > 0);
      });
      await looked.catch((cause) => assert.fail(`${cause}: ${JSON.stringify(last)}`));
    }
  });

  test("only the connections of a lost host die", async () => {
    const [one, two, lost] = [lab.host(1), lab.host(2), lab.host(3)];
    const gone = (await tasksOf(mesh, "web")).find(({ host }) => host === lost)?.hostname;
    const talks = await Promise.all([one, two].map(talkTo));
    await lost.kill();
    for (const talk of talks) await goesOn(talk, gone);
    for (const talk of talks) talk.stop();
    await until("the others answer everything", async () => {
      const answers = await Promise.all([one, two].map((host) => ask(client, "http", host, 12)));
      return answers.flat().every(({ trouble }) => trouble === undefined);
    });
    await lost.start();
    await lost.startAgent();
    await startAsker(lost);
    await mesh.ready(one, members, patienceMs);
    await mesh.running(one, "web", members);
  });

  test("an encrypted ingress network keeps the client's address as well", async () => {
    const one = lab.host(1);
    await mustDocker(one, ["service", "rm", "web"]);
    // The client would ask for a confirmation.
    await mesh.call(one, "DELETE", "/networks/ingress");
    const how = ["-d", "overlay", "--ingress", "--opt", "encrypted", "sealed-ingress"];
    await mustDocker(one, ["network", "create", ...how]);
    await createWeb();
    await seeClient();
  });

  async function createWeb(): Promise<void> {
    const flags = ["--detach", "--quiet", "--no-resolve-image", "--name", "web"];
    const ports = ["tcp", "udp"].flatMap((kind) => ["--publish", `${port}:80/${kind}`]);
    const where = ["--mode", "global", "--network", "shop_front", ...ports];
    await mustDocker(lab.host(1), ["service", "create", ...flags, ...where, "gam/echo:1"]);
    await mesh.running(lab.host(1), "web", members);
  }

  /** Every host forwards the client, and another member, to the tasks of all, which see their addresses. */
  async function seeClient(): Promise<void> {
    for (const kind of ["http", "udp"] as const) {
      for (const host of lab.hosts.slice(0, members)) {
        const other = lab.host((host.number % members) + 1);
        for (const from of [client, other]) {
          const what = `${from.name} at ${host.name} by ${kind}`;
          let last: readonly Answer[] = [];
          const looked = until(what, async () => {
            last = await ask(from, kind, host, 30);
            return (
              last.every(({ trouble }) => trouble === undefined) &&
              serversOf(last).length === members
            );
          });
          await looked.catch((cause) =>
            assert.fail(`${cause}: ${JSON.stringify(last.slice(0, 5))}`),
          );
          const seen = [...new Set(last.map((one) => one.client))];
          assert.deepEqual(seen, [from.address], what);
        }
      }
    }
  }

  async function ask(
    from: Host,
    kind: "http" | "udp",
    to: Host,
    count: number,
  ): Promise<readonly Answer[]> {
    const question: Question = { ask: kind, name: to.address, port };
    return await askAt(askingSocketOn(from), Array(count).fill(question));
  }

  async function talkTo(host: Host): Promise<Talk> {
    const talk = await Talk.start(client, { address: host.address, port, count: 8 }, 1);
    await until("all connections are answered", async () => talk.answers().size === 8);
    return talk;
  }

  /** All connections are still answered, except those to one task. */
  async function goesOn(talk: Talk, except?: string): Promise<void> {
    const before = talk.answers();
    await until("all connections are answered", async () => {
      return [...talk.answers()].every(([own, { server, count }]) => {
        return server === except || count > (before.get(own)?.count ?? 0) + 1;
      });
    });
  }

  async function run(host: Host, words: readonly string[]): Promise<Container> {
    const id = await mustDocker(host, ["run", "--detach", ...words, "gam/echo:1"]);
    const found = await inspect(host, id);
    assert.ok(found !== undefined, "the container has ended");
    return found;
  }

  async function lookUp(from: Container, all: readonly string[]): Promise<readonly Answer[]> {
    const questions = all.map((name) => ({ ask: "address", name, port: 0 }) as const);
    return await askAt(askingSocketOf(from), questions);
  }

  async function until(what: string, look: () => Promise<boolean>): Promise<void> {
    await mesh.until(what, patienceMs, look);
  }
});

function serversOf(answers: readonly Answer[]): string[] {
  return [...new Set(answers.flatMap(({ server }) => server ?? []))];
}
