/**
 * Walls on real hosts: ways to send a frame, a packet or a name where it does not belong. By the counters of the
 * target's kernel, nothing may arrive. Then the walls are removed while no agent runs, and the same must arrive: this
 * proves that each way works without walls.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { macOf } from "@gam/state";
import { type Sending, senderPort, sendFrom, vxlanFrame } from "./clusters/container-sender.ts";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";
import type { Background } from "./hosts/background.ts";
import { askAt, askingSocketOf, type Container, inspect } from "./load/echo.ts";

const programs = { wg: "wireguard-tools", "wireguard-go": "wireguard-go", tcpdump: "tcpdump" };
const skip = labUnavailable(programs) ?? false;
const number = 66;
const patienceMs = 60_000;
const framePort = 9999;
const outsidePort = 9100;

const networks: Readonly<Record<string, readonly string[]>> = {
  plain: [],
  other: [],
  sealed: ["--opt", "encrypted"],
  inner: ["--internal"],
};

interface Way {
  readonly name: string;
  /** The sender: a key of `senders`. */
  readonly from: string;
  readonly sending: () => Sending;
  /** Where it would arrive: in a container of that network at host 2, at host 1, or at a host itself. */
  readonly counted: "frame" | "host";
}

describe("walls of three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  /** Containers on host 1 that send, by their kind. */
  const senders = new Map<string, Container>();
  /** One container for each network on hosts 1 and 2. */
  const targets = new Map<string, Container>();
  const vnis = new Map<string, number>();
  const gateways = new Map<string, string>();
  /** tcpdump at each target. */
  const dumps: Background[] = [];

  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true, echo: true });
    mesh = await LabMesh.form(lab);
    for (const [name, words] of Object.entries(networks)) {
      const create = ["network", "create", "-d", "overlay", "--attachable", ...words, name];
      await mustDocker(lab.host(1), create);
      for (const host of [lab.host(1), lab.host(2)]) {
        const alias = `${name}-${host.number}`;
        const words = ["--network", name, "--network-alias", alias];
        targets.set(`${name} ${host.number}`, await run(host, words));
        const bridge = await bridgeOf(host, name);
        vnis.set(name, Number(bridge.slice("gam-".length)));
        gateways.set(`${name} ${host.number}`, await addressOf(host, bridge));
      }
    }
    const limited = ["--cap-drop", "ALL"];
    const mighty = ["--cap-add", "NET_ADMIN"];
    senders.set("bridge", await run(lab.host(1), [], true));
    senders.set("bridge without rights", await run(lab.host(1), limited, true));
    senders.set("bridge with NET_ADMIN", await run(lab.host(1), mighty, true));
    senders.set("other", await run(lab.host(1), ["--network", "other"]));
    senders.set("other without rights", await run(lab.host(1), ["--network", "other", ...limited]));
    senders.set("inner", await run(lab.host(1), ["--network", "inner"]));
    for (const host of lab.hosts) await must(host, ["nft", counting]);
    for (const { host, pid } of targets.values()) {
      await must(host, ["nsenter", "-t", `${pid}`, "-n", "nft", countingFrames]);
    }
  });
  after(async () => {
    await Lab.down(number);
  });

  const target = (key: string): Container => {
    const found = targets.get(key);
    assert.ok(found !== undefined, `no target ${key}`);
    return found;
  };
  const underlay = (host: number): string => lab.host(host).address;
  const tunnel = async (host: number): Promise<string> => await addressOf(lab.host(host), "gamwg");
  const tunnels = new Map<number, string>();
  const tunnelOf = (host: number): string => tunnels.get(host) ?? "";
  /** A frame of a network, for its container on a host. */
  const frame = (network: string, host = 2, bytes = 32): Buffer => {
    const to = target(`${network} ${host}`).addresses[network] ?? "";
    const from = gateway(network, 1);
    const inner = { from, to, mac: macOf(to), port: framePort, bytes };
    return vxlanFrame(vnis.get(network) ?? 0, inner);
  };
  const as = (host: number): string => `ip saddr set ${underlay(host)}`;
  const gateway = (network: string, host: number): string =>
    gateways.get(`${network} ${host}`) ?? "";

  const ways: readonly Way[] = [
    {
      name: "a frame of another network to another host",
      from: "bridge without rights",
      sending: () => ({ to: underlay(2), port: 4789, payload: frame("plain") }),
      counted: "frame",
    },
    {
      name: "a frame of another network to another host, from an overlay",
      from: "other without rights",
      sending: () => ({ to: underlay(2), port: 4789, payload: frame("plain") }),
      counted: "frame",
    },
    {
      name: "a frame of an internal network to another host",
      from: "bridge",
      sending: () => ({ to: underlay(2), port: 4789, payload: frame("inner") }),
      counted: "frame",
    },
    {
      name: "a frame in fragments to another host",
      from: "bridge without rights",
      sending: () => ({ to: underlay(2), port: 4789, payload: frame("plain", 2, fragmented) }),
      counted: "frame",
    },
    {
      name: "a frame of an encrypted network to a tunnel",
      from: "bridge without rights",
      sending: () => ({ to: tunnelOf(2), port: 4789, payload: frame("sealed") }),
      counted: "frame",
    },
    {
      name: "a frame of a plain network to a tunnel, from an overlay",
      from: "other without rights",
      sending: () => ({ to: tunnelOf(2), port: 4789, payload: frame("plain") }),
      counted: "frame",
    },
    {
      name: "a frame to its own host as another one",
      from: "bridge",
      sending: () => ({ to: underlay(1), port: 4789, payload: frame("plain", 1), forged: as(3) }),
      counted: "frame",
    },
    {
      name: "a frame to its own host as another one, from an overlay, in fragments",
      from: "other",
      sending: () => ({
        ...{ to: underlay(1), port: 4789, payload: frame("plain", 1, fragmented), forged: as(3) },
      }),
      counted: "frame",
    },
    {
      name: "a frame to its own host with another one's address for its own",
      from: "bridge with NET_ADMIN",
      sending: () => ({
        ...{ to: underlay(1), port: 4789, payload: frame("plain", 1), taken: underlay(3) },
      }),
      counted: "frame",
    },
    {
      name: "a frame to the gateway of its network as another host",
      from: "other",
      sending: () => ({
        ...{ to: gateway("other", 1), port: 4789, payload: frame("plain", 1), forged: as(3) },
      }),
      counted: "frame",
    },
    {
      name: "a frame in a frame, to the gateway of its network on another host",
      from: "other",
      sending: () => ({
        ...{ to: gateway("other", 2), port: 4789, payload: frame("inner"), forged: as(3) },
      }),
      counted: "frame",
    },
    {
      name: "a packet into an internal network as one of it",
      from: "bridge",
      sending: () => {
        const { inner = "" } = target("inner 1").addresses;
        const forged = `ip saddr set ${gateway("inner", 2)}`;
        return { to: inner, port: framePort, forged };
      },
      counted: "frame",
    },
    {
      name: "the mesh of another host",
      from: "bridge without rights",
      sending: () => ({ to: underlay(2), port: 7946, tcp: true }),
      counted: "host",
    },
    {
      name: "the mesh of its own host, from an overlay",
      from: "other without rights",
      sending: () => ({ to: underlay(1), port: 7946, tcp: true }),
      counted: "host",
    },
    {
      name: "the mesh of another host by the gateway of its network there",
      from: "other",
      sending: () => ({ to: gateway("other", 2), port: 7946, tcp: true }),
      counted: "host",
    },
    {
      name: "the mesh of its own host, from an internal network",
      from: "inner",
      sending: () => ({ to: gateway("inner", 1), port: 7946, tcp: true }),
      counted: "host",
    },
    {
      name: "any port of its own host, from an internal network",
      from: "inner",
      sending: () => ({ to: gateway("inner", 1), port: outsidePort }),
      counted: "host",
    },
    {
      name: "any port of another host by its gateway there, from an internal network",
      from: "inner",
      sending: () => ({ to: gateway("inner", 2), port: outsidePort }),
      counted: "host",
    },
    {
      name: "WireGuard of another host",
      from: "other",
      sending: () => ({ to: underlay(2), port: 51820 }),
      counted: "host",
    },
    {
      name: "a port behind a tunnel",
      from: "other without rights",
      sending: () => ({ to: tunnelOf(2), port: 22, tcp: true }),
      counted: "host",
    },
    {
      name: "a port of its own host's tunnel",
      from: "bridge",
      sending: () => ({ to: tunnelOf(1), port: 22, tcp: true }),
      counted: "host",
    },
    {
      name: "GRE to a tunnel",
      from: "bridge",
      sending: () => ({ to: tunnelOf(2), port: 9, forged: "ip protocol set 47" }),
      counted: "host",
    },
    {
      name: "ICMP to a tunnel",
      from: "other",
      sending: () => ({ to: tunnelOf(2), port: 0, ping: true }),
      counted: "host",
    },
    {
      name: "VXLAN by IPv6 to its own host",
      from: "bridge with NET_ADMIN",
      sending: () => ({ to: ip6OfHost, port: 4789, payload: frame("plain", 1) }),
      counted: "host",
    },
    {
      name: "the mesh by IPv6 of its own host",
      from: "bridge with NET_ADMIN",
      sending: () => ({ to: ip6OfHost, port: 7946, tcp: true }),
      counted: "host",
    },
  ];

  const countFrames = async (): Promise<number> => {
    const counts = await Promise.all(
      [...targets.values()].map(({ host, pid }) =>
        packets(host, ["nsenter", "-t", `${pid}`, "-n"]),
      ),
    );
    return counts.reduce((sum, one) => sum + one, 0);
  };
  const countHosts = async (): Promise<number> => {
    const counts = await Promise.all(lab.hosts.map((host) => packets(host, [])));
    return counts.reduce((sum, one) => sum + one, 0);
  };
  /** Sends once, and returns what arrived anywhere. */
  const arrives = async (way: Way): Promise<{ frames: number; hosts: number }> => {
    const sender = senders.get(way.from);
    assert.ok(sender !== undefined, `no sender ${way.from}`);
    const before = [await countFrames(), await countHosts()] as const;
    await sendFrom(sender, way.sending());
    await pause(settleMs);
    const after = [await countFrames(), await countHosts()] as const;
    return { frames: after[0] - before[0], hosts: after[1] - before[1] };
  };

  test("allowed traffic arrives", async () => {
    for (const host of [1, 2]) tunnels.set(host, await tunnel(lab.host(host).number));
    const { code, stderr } = await lab
      .host(1)
      .exec(["sh", "-c", ip6Script(senderOf("bridge with NET_ADMIN").pid)]);
    assert.equal(code, 0, stderr);
    for (const network of Object.keys(networks)) {
      const { hostname, addresses } = target(`${network} 2`);
      await mesh.until(`${network} answers`, patienceMs, async () => {
        const question = { ask: "http", name: `${network}-2`, port: 80 } as const;
        const [answer] = await askAt(askingSocketOf(target(`${network} 1`)), [question]);
        return answer?.server === hostname;
      });
      const before = await countFrames();
      await mesh.until(`a datagram arrives in ${network}`, patienceMs, async () => {
        await sendFrom(target(`${network} 1`), { to: addresses[network] ?? "", port: framePort });
        await pause(settleMs);
        return (await countFrames()) > before;
      });
    }
    for (const [key, { host, pid }] of targets) {
      const words = [
        "tcpdump",
        "-lnni",
        "eth0",
        "--immediate-mode",
        "udp",
        "dst",
        "port",
        `${framePort}`,
      ];
      const name = `dump-${key.replace(" ", "-")}`;
      dumps.push(await host.spawn(name, ["nsenter", "-t", `${pid}`, "-n", ...words]));
    }
    await mesh.until("tcpdump listens", patienceMs, async () => {
      return dumps.every(({ log }) => readFileSync(log, "utf8").includes("listening on"));
    });
  });

  for (const way of ways) {
    test(`does not arrive: ${way.name}`, async () => {
      assert.deepEqual(await arrives(way), { frames: 0, hosts: 0 });
    });
  }

  test("tcpdump at the targets saw none of it", () => {
    assert.deepEqual(
      dumps.map(seen),
      dumps.map(() => 0),
    );
  });

  test("a container of an internal network has no default route; with a second network it has that one's", async () => {
    const routes = (sender: Container): Promise<string> =>
      mustDocker(sender.host, ["exec", sender.id, "ip", "route"], { engine: true });
    await mesh.until("there is no default route", patienceMs, async () => {
      return !/default/.test(await routes(senderOf("inner")));
    });
    const both = await run(lab.host(1), ["--network", "inner"]);
    await mustDocker(lab.host(1), ["network", "connect", "other", both.id]);
    await mesh.until("the default route is by the other network", patienceMs, async () => {
      return (await routes(both)).includes(`default via ${gateway("other", 1)} `);
    });
    await mustDocker(lab.host(1), ["rm", "--force", both.id], { engine: true });
  });

  test("a query for a name from an internal network leaves no host", async (t) => {
    const asked = await fakeNameServer(lab.host(1), t);
    const lookUp = async (sender: Container, name: string): Promise<void> => {
      await askAt(askingSocketOf(sender), [{ ask: "address", name, port: 0 }]);
    };
    await lookUp(senderOf("other"), "leaves.example");
    await mesh.until("a name of another network leaves", patienceMs, async () => {
      return asked().includes("leaves");
    });
    const query = (name: string): Buffer => dnsQuery([name, "example"]);
    await lookUp(senderOf("inner"), "stays.example");
    const server = { to: gateway("inner", 1), port: 53 };
    await sendFrom(senderOf("inner"), { ...server, payload: query("stays-direct") });
    for (const source of [gateway("inner", 1), target("plain 1").addresses.plain, "127.0.0.1"]) {
      const forged = `ip saddr set ${source}`;
      await sendFrom(senderOf("inner"), { ...server, payload: query("stays-forged"), forged });
    }
    const elsewhere = { to: gateway("plain", 1), port: 53 };
    await sendFrom(senderOf("inner"), { ...elsewhere, payload: query("stays-elsewhere") });
    const abroad = { to: gateway("inner", 2), port: 53 };
    await sendFrom(senderOf("inner"), { ...abroad, payload: query("stays-abroad") });
    await lookUp(senderOf("other"), "leaves-too.example");
    await mesh.until("a name of another network leaves", patienceMs, async () => {
      return asked().includes("leaves-too");
    });
    assert.doesNotMatch(asked(), /stays/);
    for (const host of lab.hosts)
      assert.ok(host.agentPid !== undefined, `${host.name} has no agent`);
  });

  test("with the walls down each way arrives", async (t) => {
    await Promise.all(lab.hosts.map((host) => host.killAgent("SIGKILL")));
    for (const host of [lab.host(1), lab.host(2)]) await must(host, ["nft", wallsDown]);
    const closed: string[] = [];
    for (const way of ways) {
      const { frames, hosts } = await arrives(way);
      t.diagnostic(`${way.name}: ${frames} frames at their target, ${hosts} packets at a host`);
      if ((way.counted === "frame" ? frames : hosts) === 0) closed.push(way.name);
    }
    assert.deepEqual(closed, []);
    for (const network of ["plain", "sealed", "inner"]) {
      const dump = dumps.find(({ log }) => log.endsWith(`dump-${network}-2.log`));
      assert.ok(
        dump !== undefined && seen(dump) > 0,
        `tcpdump does not see what comes to ${network}`,
      );
    }
  });

  function senderOf(name: string): Container {
    const found = senders.get(name);
    assert.ok(found !== undefined, `no sender ${name}`);
    return found;
  }

  /** Runs a container of the echo image, through the agent or directly at the engine. */
  async function run(host: Host, words: readonly string[], engine = false): Promise<Container> {
    const command = ["run", "--detach", ...words, "gam/echo:1"];
    const id = await mustDocker(host, command, { engine });
    const found = await inspect(host, id);
    assert.ok(found !== undefined, `${id} has ended`);
    return found;
  }
});

const settleMs = 300;
/** With all headers more than 1500 bytes, so it is fragmented; alone it fits a network of 1450. */
const fragmented = 1426;
/** The host's own address on the engine's bridge, in a network of IPv6 that the test makes there. */
const ip6OfHost = "2001:db8:66::1";

function ip6Script(pid: number): string {
  const inside = `nsenter -t ${pid} -n`;
  return [
    "sysctl -qw net.ipv6.conf.docker0.disable_ipv6=0",
    `ip -6 addr replace ${ip6OfHost}/64 dev docker0 nodad`,
    `${inside} sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0`,
    `${inside} ip -6 addr replace 2001:db8:66::2/64 dev eth0 nodad`,
  ].join(" && ");
}

/** Rules after all others, which count what the host accepts from a sender, or decapsulates. */
const counting = `table inet seen {
  counter arrived { }
  chain input {
    type filter hook input priority 2000
    iifname != "lo" th sport ${senderPort} counter name arrived
    iifname != "lo" meta l4proto { gre, icmp } ip daddr 198.18.0.0/15 counter name arrived
  }
}`;
const countingFrames = `table inet seen {
  counter arrived { }
  chain prerouting {
    type filter hook prerouting priority -400
    udp dport ${framePort} counter name arrived
  }
}`;
/** Removes the rules that stop containers, and frames from hosts that are not nodes. */
const wallsDown = [
  ...["walls", "tunnelled", "vxlan"].map((chain) => `flush chain ip gam ${chain}`),
  "flush chain ip6 gam walls",
  "flush chain ip gam forward",
  "flush chain ip gam internal",
  "flush chain ip gam input",
].join("; ");

/** Datagrams that a tcpdump has printed. */
function seen({ log }: Background): number {
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => / IP \S+ > /.test(line)).length;
}

async function packets(host: Host, prefix: readonly string[]): Promise<number> {
  const { code, stdout, stderr } = await host.exec([
    ...prefix,
    "nft",
    "list",
    "counter",
    "inet",
    "seen",
    "arrived",
  ]);
  assert.equal(code, 0, stderr);
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}

async function must(host: Host, words: readonly string[]): Promise<void> {
  const { code, stderr } = await host.exec(words);
  assert.equal(code, 0, `${words.join(" ")} at ${host.name}: ${stderr}`);
}

async function bridgeOf(host: Host, network: string): Promise<string> {
  const format = '{{index .Options "com.docker.network.bridge.name"}}';
  return await mustDocker(host, ["network", "inspect", "--format", format, network], {
    engine: true,
  });
}

/** The first IPv4 address of a device. */
async function addressOf(host: Host, device: string): Promise<string> {
  const { stdout, stderr } = await host.exec(["ip", "-4", "-o", "addr", "show", "dev", device]);
  const address = /inet ([\d.]+)/.exec(stdout)?.[1];
  assert.ok(address !== undefined, `${device} of ${host.name} has no address: ${stderr}`);
  return address;
}

/** A name server that gets the agent's queries and never answers. Shape: returns the queries so far, as text. */
async function fakeNameServer(host: Host, t: TestContext): Promise<() => string> {
  const script = `const socket = require("node:dgram").createSocket("udp4");
    socket.on("message", (message) => console.log(message.toString("latin1").replace(/[^a-z-]/g, " ")));
    socket.bind(53, "${host.address}", () => console.log("listens"));`;
  const server = await host.spawn("names", ["node", "-e", script]);
  t.after(() => server.kill("SIGKILL"));
  const asked = (): string => readFileSync(server.log, "utf8");
  while (server.running && asked() === "") await pause(20);
  return asked;
}

function dnsQuery(labels: readonly string[]): Buffer {
  const name = labels.map((label) => String.fromCharCode(label.length) + label).join("");
  const head = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, Buffer.from(`${name}\0`, "latin1"), Buffer.from([0, 1, 0, 1])]);
}
