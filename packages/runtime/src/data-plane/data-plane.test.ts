/**
 * The data plane on a real kernel, in a network namespace of its own: this file runs itself again inside of it.
 * Plans are applied, parts are broken one by one, and nothing of gam's may be left at the end.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { NetworkId, NodeId, ServiceId } from "@gam/core";
import { HostCipher } from "@gam/files";
import type { NetworkPlane, NodePlan, Unsafe } from "@gam/network";
import { asSafe } from "@gam/network/testing";
import { macOf } from "@gam/state";
import { breakages } from "../testing/breakages.ts";
import { FakeNetworks } from "../testing/fake-networks.ts";
import { reasonToSkip } from "../testing/reason-to-skip.ts";
import { DataPlane } from "./data-plane.ts";
import { type Run, runCommand } from "./kernel/command.ts";
import type { Sandbox } from "./kernel/sandbox.ts";
import { TunnelKeys } from "./tunnel-keys.ts";

const cipher = new HostCipher(new Uint8Array(32).fill(1));

const inside = process.env.GAM_TEST_NAMESPACE === "1";

function networkPlane(vni: number, change: Partial<Unsafe<NetworkPlane>> = {}): NetworkPlane {
  const subnet = `10.0.${vni}.0/24`;
  const gateway = `10.0.${vni}.2`;
  const id = `network${vni}` as NetworkId;
  const Labels = {};
  return asSafe<NetworkPlane>({
    id,
    name: `net${vni}`,
    vni,
    bridge: `gam-${vni}`,
    vxlan: `gamx-${vni}`,
    subnet,
    gateway,
    internal: false,
    ingress: false,
    encrypted: false,
    mtu: 1450,
    vips: [`10.0.${vni}.9`],
    remotes: [1, 2, 3].map((n) => ({ address: `10.0.${vni}.1${n}`, via: `192.0.2.${n}` })),
    bridges: [],
    locals: [`10.0.${vni}.20`],
    engine: {
      network: id,
      name: `net${vni}`,
      gateway,
      body: {
        Driver: "bridge",
        Internal: false,
        Labels,
        IPAM: { Driver: "default", Config: [{ Subnet: subnet, Gateway: gateway }] },
        Options: { "com.docker.network.bridge.name": `gam-${vni}` },
      },
    },
    ...change,
  });
}

const walls = { tunnelPort: 51820, members: [], guests: [], doors: [], doors6: [], ownDoors: [] };

function planOf(
  networks: readonly Unsafe<NetworkPlane>[],
  change: Partial<Unsafe<NodePlan>> = {},
): NodePlan {
  return asSafe<NodePlan>({
    self: "self" as NodeId,
    underlay: "192.0.2.100",
    vxlanPort: 4789,
    neighbours: ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    walls,
    networks,
    services: networks.map(({ id, vni, locals, remotes }) => ({
      key: `s${vni}`,
      network: id,
      service: `service${vni}` as ServiceId,
      vip: `10.0.${vni}.9`,
      backends: [...locals, ...remotes.map(({ address }) => address)],
    })),
    ports: [],
    dns: { zones: [], clients: new Map(), confined: new Set() },
    problems: [],
    ...change,
  });
}

interface Bench {
  readonly plane: DataPlane;
  readonly networks: FakeNetworks;
  /** Everything that was logged as repaired. */
  readonly mended: string[];
  readonly warnings: string[];
  /** Resolves at the next repair after this call. */
  nextMending(): Promise<void>;
  /** Resolves at the next round of the kernel lane after this call. */
  nextRound(): Promise<void>;
}

async function withPlane(
  work: (bench: Bench) => Promise<void>,
  run: Run = runCommand,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gam-keys-"));
  const networks = new FakeNetworks();
  const mended: string[] = [];
  const warnings: string[] = [];
  const steps = new EventEmitter();
  const plane = new DataPlane({
    run,
    networks,
    keys: await TunnelKeys.open(directory, cipher),
    log: (level, text, fields) => {
      if (level === "warn") warnings.push(`${text} ${JSON.stringify(fields)}`);
      if (text === "Repaired data plane") mended.push(...(fields.found as string[]));
      steps.emit(text);
    },
  });
  const next =
    (...texts: string[]) =>
    async () =>
      void (await Promise.race(texts.map((text) => once(steps, text))));
  const nextMending = next("Repaired data plane");
  // An audit may be due by then: on a slow machine, the kernel reports gam's own changes late.
  const nextRound = next("Applied node plan", "Audited data plane");
  try {
    await work({ plane, networks, mended, warnings, nextMending, nextRound });
  } finally {
    networks.failure = undefined;
    await plane.remove();
    rmSync(directory, { recursive: true });
  }
}

function sh(command: string): string {
  const [program = "", ...args] = command.split(" ");
  return execFileSync(program, args, { encoding: "utf8" });
}

function sorted(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .sort()
    .join("\n");
}

/** The kernel's state to compare, without what changes by itself. Order counts inside of chains only. */
function kernel(): string {
  const shown = (text: string): string => text.replace(/^\d+: /gm, "").replace(/@if\d+/g, "");
  const entries = sh("bridge fdb show").split("\n");
  return [
    sorted(shown(sh("ip -o link show type vxlan")).replace(/link\/ether \S+/g, "")),
    sorted(shown(sh("ip -o -4 addr show"))),
    sorted(sh("ip -4 neigh show nud permanent")),
    sorted(entries.filter((line) => /dst|static/.test(line)).join("\n")),
    ...["ip", "ip6"].map((family) =>
      sh(`nft list table ${family} gam`).split("\n\n").sort().join("\n\n"),
    ),
    sh("iptables -S"),
  ].join("\n");
}

const one = planOf([networkPlane(5), networkPlane(6, { ingress: true })]);

function inNamespace(): void {
  sh("ip link set lo up");
  sh("ip addr add 192.0.2.100/32 dev lo");

  test("a plan is in the kernel, and an audit finds nothing to do", async () => {
    await withPlane(async ({ plane, mended, warnings }) => {
      plane.apply(one);
      await plane.settled();
      assert.deepEqual(plane.problems(), []);
      const found = kernel();
      for (const part of [
        "gamx-5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450",
        "gam-5    inet 10.0.5.2/24",
        "gam-5    inet 10.0.5.9/32",
        `10.0.5.11 dev gamx-5 lladdr ${macOf("10.0.5.11")} PERMANENT`,
        `${macOf("10.0.5.12")} dev gamx-5 dst 192.0.2.2 self permanent`,
        `${macOf("10.0.5.12")} dev gamx-5 master gam-5 static`,
        "chain service_s5",
        "-A FORWARD -o gam-6 -m conntrack --ctstate DNAT --ctdir ORIGINAL -m comment --comment gam -j ACCEPT",
      ]) {
        assert.ok(found.includes(part), `no "${part}" in\n${found}`);
      }
      assert.match(sh("ip -d link show gam-5"), /02:42:0a:00:05:02[\s\S]*nf_call_iptables 1/);
      assert.equal(readFileSync("/proc/sys/net/ipv4/conf/gam-5/rp_filter", "utf8"), "2\n");
      await plane.audit();
      await plane.audit();
      assert.deepEqual([mended, warnings], [[], []]);
      assert.equal(kernel(), found);
    });
  });

  test("a plan's removals, moves and returns are applied", async () => {
    await withPlane(async ({ plane, mended, warnings }) => {
      plane.apply(one);
      await plane.settled();
      const remotes = [
        { address: "10.0.5.11", via: "192.0.2.3" },
        { address: "10.0.5.14", via: "192.0.2.1" },
      ];
      plane.apply(planOf([networkPlane(5, { remotes, vips: [] })], { services: [] }));
      await plane.settled();
      const found = kernel();
      assert.doesNotMatch(found, /gamx?-6|10\.0\.5\.12|10\.0\.5\.9/);
      assert.ok(found.includes(`${macOf("10.0.5.11")} dev gamx-5 dst 192.0.2.3 self permanent`));
      assert.ok(!found.includes(`${macOf("10.0.5.11")} dev gamx-5 dst 192.0.2.1`));
      assert.ok(found.includes("10.0.5.14 dev gamx-5"));
      await plane.audit();
      plane.apply(one);
      await plane.settled();
      assert.match(kernel(), /gamx-6/);
      assert.equal(readFileSync("/proc/sys/net/ipv4/conf/gam-6/rp_filter", "utf8"), "2\n");
      await plane.audit();
      assert.deepEqual([plane.problems(), mended, warnings], [[], [], []]);
    });
  });

  test("an audit repairs what was broken, and only that", async (t) => {
    await withPlane(async ({ plane, mended }) => {
      // Foreign objects with similar names, which must survive everything.
      sh("ip link add gamma type bridge");
      sh("ip link add foreign0 type vxlan id 77 dstport 4999");
      sh("ip addr add 10.99.0.1/24 dev gamma");
      sh("nft add table ip gamma");
      plane.apply(one);
      await plane.settled();
      await plane.audit();
      const whole = kernel();
      for (const [name, commands] of breakages) {
        await t.test(name, async () => {
          mended.length = 0;
          for (const command of commands) sh(command);
          if (name === "a flushed ruleset") sh("nft add table ip gamma");
          await plane.audit();
          assert.deepEqual(plane.problems(), []);
          assert.equal(kernel(), whole);
          assert.equal(readFileSync("/proc/sys/net/ipv4/conf/gam-5/rp_filter", "utf8"), "2\n");
          assert.notDeepEqual(mended, []);
          const before = mended.length;
          await plane.audit();
          assert.deepEqual(mended.slice(before), []);
        });
      }
    });
    assert.match(sh("ip addr show gamma"), /10\.99\.0\.1/);
    assert.match(sh("nft list tables"), /^table ip gamma$/m);
    sh("ip link del gamma");
    sh("ip link del foreign0");
    sh("nft delete table ip gamma");
  });

  test("a change that the kernel reports is repaired without a call of audit()", {
    timeout: 20_000,
  }, async () => {
    await withPlane(async ({ plane, nextMending }) => {
      plane.apply(one);
      await plane.settled();
      for (const command of [
        "ip link del gamx-5",
        "nft delete table ip gam",
        "ip addr del 10.0.5.2/24 dev gam-5",
        "ip neigh flush dev gamx-5 nud permanent",
        "ip link del gam-6",
      ]) {
        const mending = nextMending();
        sh(command);
        await mending;
        await plane.settled();
      }
      assert.deepEqual(plane.problems(), []);
    });
  });

  test("a bridge that the engine is creating is left alone", async () => {
    await withPlane(async ({ plane, networks, warnings, nextRound }) => {
      networks.halfway = async () => {
        const round = nextRound();
        plane.apply(planOf([networkPlane(5), networkPlane(6)]));
        await round;
      };
      plane.apply(one);
      await plane.settled();
      assert.deepEqual([warnings, plane.problems()], [[], []]);
      assert.match(kernel(), /gamx-6/);
    });
  });

  test("a failing engine delays nothing else", async () => {
    await withPlane(async ({ plane, networks, warnings }) => {
      plane.apply(planOf([networkPlane(5)]));
      await plane.settled();
      networks.failure = new Error("Cannot reach engine: gone");
      plane.apply(one);
      await plane.audit();
      await plane.audit();
      assert.deepEqual(plane.problems(), ["Cannot reach engine: gone"]);
      const failed = warnings.filter((text) => text.startsWith("Could not apply"));
      assert.equal(failed.length, 1, failed.join("\n"));
      assert.match(kernel(), /service_s6/);
      networks.failure = undefined;
      await plane.audit();
      assert.deepEqual(plane.problems(), []);
      assert.match(kernel(), /gamx-6/);
    });
  });

  test("a container reaches a service past the host's translation, and is refused when the backends are gone", {
    timeout: 20_000,
  }, async () => {
    await withPlane(async ({ plane, networks, mended, warnings }) => {
      const [client, server] = [
        await spawnContainer("10.0.5.20"),
        await spawnContainer("10.0.5.21"),
      ];
      let talk: Talk | undefined;
      try {
        const locals = ["10.0.5.20", "10.0.5.21"];
        const backends = ["10.0.5.21"];
        const services = [{ key: "s5", network: networkOf(5), vip: "10.0.5.9", backends }];
        const plan = planOf([networkPlane(5, { locals })], { services });
        plane.apply(plan);
        await plane.settled();
        networks.sandboxList = [client, server].map((one) => sandboxOf(one, 5));
        for (const { device } of [client, server]) sh(`ip link set ${device} master gam-5 up`);
        await plane.audit();
        assert.deepEqual([warnings, plane.problems()], [[], []]);
        const fast = sh("nft list table netdev gam");
        for (const { address, device } of [client, server]) {
          assert.ok(fast.includes(`${address} : "${device}"`), fast);
        }
        await plane.audit();
        await plane.audit();
        assert.deepEqual(mended, []);
        const whole = sh("nft -s list table netdev gam");

        talk = talkBetween(client, server, "10.0.5.9");
        assert.equal(await talk.next(), "from 10.0.5.20");
        assert.equal(sh("conntrack -L -p tcp"), "");
        for (const breakage of ["nft flush table netdev gam", "nft delete table netdev gam"]) {
          sh(breakage);
          assert.equal(await talk.next(), "from 10.0.5.20");
          await plane.audit();
          assert.match(sh("nft list set netdev gam lease"), /tcp timeout 30s/);
          const mended = sh("nft -s list table netdev gam");
          assert.equal(sorted(mended), sorted(whole), breakage);
        }

        const none = [{ ...plan.services[0], backends: [] }] as typeof services;
        plane.apply(planOf([networkPlane(5, { locals: ["10.0.5.20"] })], { services: none }));
        await plane.settled();
        assert.equal(await talk.next(), "ECONNRESET");
        networks.sandboxList = [];
        await plane.audit();
        assert.doesNotMatch(inNamespaceOf(client, "nft list ruleset"), /gam/);
      } finally {
        talk?.end();
        client.end();
        server.end();
      }
    });
  });

  test("an ended connection soon leaves conntrack in both containers, though it was not translated", {
    timeout: 20_000,
  }, async () => {
    await withPlane(async ({ plane, networks }) => {
      const both = [await spawnContainer("10.0.5.20"), await spawnContainer("10.0.5.21")] as const;
      const [client, server] = both;
      try {
        plane.apply(planOf([networkPlane(5, { locals: both.map(({ address }) => address) })]));
        await plane.settled();
        networks.sandboxList = both.map((one) => sandboxOf(one, 5));
        for (const { device } of both) sh(`ip link set ${device} master gam-5 up`);
        await plane.audit();
        const talk = talkBetween(client, server, server.address);
        assert.equal(await talk.next(), "from 10.0.5.20");
        const list = "conntrack -L -p tcp";
        for (const one of both) assert.match(inNamespaceOf(one, list), /ESTABLISHED/);
        talk.end();
        for (const one of both) while (inNamespaceOf(one, list) !== "") await nextTurn();
      } finally {
        for (const one of both) one.end();
      }
    });
  });

  test("a change of an existing service waits for no container", {
    timeout: 20_000,
  }, async () => {
    const held = Promise.withResolvers<void>();
    let holds = false;
    const slow: Run = async (program, args, options) => {
      if (holds && program === "nsenter") await held.promise;
      return await runCommand(program, args, options);
    };
    await withPlane(async ({ plane, networks }) => {
      const container = await spawnContainer("10.0.5.20");
      try {
        plane.apply(one);
        await plane.settled();
        networks.sandboxList = [sandboxOf(container, 5)];
        sh(`ip link set ${container.device} master gam-5 up`);
        await plane.audit();
        assert.match(inNamespaceOf(container, "nft list ruleset"), /10\.0\.5\.13/);
        holds = true;
        const isSteered: boolean[] = [];
        for (const gone of ["10.0.5.13", "10.0.5.12"]) {
          const backends = ["10.0.5.11", "10.0.5.12"].filter((address) => address !== gone);
          const services = one.services.map((service) => ({ ...service, backends }));
          plane.apply(asSafe<NodePlan>({ ...one, services }));
          void plane.steered().then((is) => isSteered.push(is));
          const host = (): string => sh("nft list table ip gam");
          assert.ok(host().includes(gone));
          while (host().includes(gone)) await nextTurn();
          assert.ok(inNamespaceOf(container, "nft list ruleset").includes(gone));
        }
        assert.deepEqual(isSteered, []);
        held.resolve();
        await plane.settled();
        assert.doesNotMatch(inNamespaceOf(container, "nft list ruleset"), /10\.0\.5\.1[23]/);
        assert.deepEqual(isSteered, [true, true]);
      } finally {
        held.resolve();
        container.end();
      }
    }, slow);
  });

  test("a container that the host translates for keeps to the bridge until that has ended", async () => {
    await withPlane(async ({ plane, networks }) => {
      const container = await spawnContainer("10.0.5.20");
      try {
        plane.apply(one);
        await plane.settled();
        const flow = "-p tcp -s 10.0.5.20 -d 10.0.5.9 --sport 9 --dport 80 --dst-nat 10.0.5.11";
        sh(`conntrack -I ${flow} --state ESTABLISHED --timeout 100`);
        networks.sandboxList = [sandboxOf(container, 5)];
        sh(`ip link set ${container.device} master gam-5 up`);
        await plane.audit();
        assert.match(inNamespaceOf(container, "nft list ruleset"), /chain service_s5/);
        assert.throws(() => sh("nft list table netdev gam"));
      } finally {
        container.end();
      }
    });
  });

  test("a deleted bridge with containers on it gets their links back", async () => {
    await withPlane(async ({ plane, networks }) => {
      const child = await spawnContainer("10.0.5.20");
      try {
        networks.endpoints.set(networkOf(5), [{ pid: child.pid, mac: macOf("10.0.5.20") }]);
        plane.apply(one);
        await plane.settled();
        sh(`ip link set ${child.device} master gam-5 up`);
        sh("ip link del gam-5");
        await plane.audit();
        assert.deepEqual(plane.problems(), []);
        assert.match(sh(`ip -d link show ${child.device}`), /master gam-5[\s\S]* hairpin on/);
        assert.match(kernel(), /gam-5 {4}inet 10\.0\.5\.2\/24/);
      } finally {
        child.end();
      }
    });
  });

  test("nothing is left of gam's", async () => {
    await withPlane(async ({ plane }) => {
      plane.apply(one);
      await plane.settled();
    });
    const left = [sh("ip -o link"), sh("nft list ruleset"), sh("iptables -S")].join("\n");
    assert.doesNotMatch(left, /gam/);
  });

  test("one changed endpoint is applied soon, and a whole plan too", async (t) => {
    await withPlane(async ({ plane }) => {
      const networks = Array.from({ length: 20 }, (_, index) =>
        networkPlane(index + 10, {
          remotes: Array.from({ length: 40 }, (_, n) => ({
            address: `10.0.${index + 10}.${n + 30}`,
            via: "192.0.2.1",
          })),
        }),
      );
      const services = networks.flatMap(({ id, vni }) =>
        Array.from({ length: 10 }, (_, n) => ({
          key: `s${vni}x${n}`,
          network: id,
          vip: `10.0.${vni}.${n + 200}`,
          backends: [0, 1, 2, 3].map((k) => `10.0.${vni}.${n * 4 + k + 30}`),
        })),
      );
      const large = planOf(networks, { services });
      plane.apply(large);
      await plane.settled();
      await runWhole(plane, large, t.diagnostic.bind(t));
      const [first, ...others] = networks;
      assert.ok(first !== undefined);
      const moved = [...first.remotes.slice(1), { address: "10.0.10.30", via: "192.0.2.2" }];
      let startedMs = performance.now();
      plane.apply(planOf([{ ...first, remotes: moved }, ...others], { services }));
      await plane.settled();
      t.diagnostic(`one endpoint moved: ${(performance.now() - startedMs).toFixed(1)} ms`);
      startedMs = performance.now();
      const [service, ...rest] = services;
      assert.ok(service !== undefined);
      const less = { ...service, backends: service.backends.slice(1) };
      plane.apply(planOf([{ ...first, remotes: moved }, ...others], { services: [less, ...rest] }));
      await plane.settled();
      t.diagnostic(`one backend gone: ${(performance.now() - startedMs).toFixed(1)} ms`);
      startedMs = performance.now();
      await plane.audit();
      t.diagnostic(`audit after changes: ${(performance.now() - startedMs).toFixed(1)} ms`);
      startedMs = performance.now();
      await plane.audit();
      t.diagnostic(`audit at rest: ${(performance.now() - startedMs).toFixed(1)} ms`);
      assert.deepEqual(plane.problems(), []);
    });
  });
}

async function runWhole(
  plane: DataPlane,
  plan: NodePlan,
  tell: (text: string) => void,
): Promise<void> {
  for (const { vxlan } of plan.networks) sh(`ip link del ${vxlan}`);
  sh("nft delete table ip gam");
  const startedMs = performance.now();
  await plane.audit();
  tell(
    `200 services on 20 networks from nothing but bridges: ${(performance.now() - startedMs).toFixed(1)} ms`,
  );
}

interface FakeContainer {
  readonly pid: number;
  readonly address: string;
  /** The host's end of its link. */
  readonly device: string;
  end(): void;
}

/** A process in a network namespace of its own with one end of a pair of devices. */
async function spawnContainer(address: string): Promise<FakeContainer> {
  const child = spawn("unshare", ["--net", "sh", "-c", "echo; exec sleep 60"]);
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  // A name of its own: the kernel removes an ended container's device only some time later.
  const device = `veth${pid}`;
  const end = `eth0 netns ${pid} address ${macOf(address)}`;
  sh(`ip link add ${device} type veth peer name ${end}`);
  const container = { pid, address, device, end: () => child.kill() };
  inNamespaceOf(container, `ip addr add ${address}/24 dev eth0`);
  inNamespaceOf(container, "ip link set eth0 up");
  return container;
}

function inNamespaceOf({ pid }: FakeContainer, command: string): string {
  return sh(`nsenter -t ${pid} -n ${command}`);
}

const networkOf = (vni: number): NetworkId => `network${vni}` as NetworkId;

function sandboxOf({ pid, address }: FakeContainer, vni: number): Sandbox {
  const place = { endpoint: address, network: networkOf(vni), address, mac: macOf(address) };
  return { path: `/proc/${pid}/ns/net`, endpoints: [place] };
}

interface Talk {
  next(): Promise<string>;
  end(): void;
}

/** One connection. Each `next()` sends a request and returns its answer, or why there was none. */
function talkBetween(client: FakeContainer, server: FakeContainer, address: string): Talk {
  const listen = `require("net").createServer((s) => {
    s.on("error", () => undefined);
    s.on("data", () => s.write("from " + s.remoteAddress.replace("::ffff:", "")));
  }).listen(80)`;
  const call = `const dial = () => {
    const s = require("net").connect(80, "${address}");
    s.on("connect", () => process.stdin.on("data", () => s.write("?")));
    s.on("data", (text) => console.log(String(text)));
    s.on("error", ({ code }) => code === "ECONNREFUSED" ? setTimeout(dial, 20) : console.log(code));
  };
  dial();`;
  const run = ({ pid }: FakeContainer, script: string) =>
    spawn("nsenter", ["-t", `${pid}`, "-n", process.execPath, "-e", script]);
  const ends = [run(server, listen), run(client, call)];
  const [, caller] = ends;
  for (const { stderr } of ends) stderr.on("data", (text) => console.log(String(text)));
  return {
    async next() {
      caller?.stdin.write("?");
      const [answer] = await once(caller?.stdout ?? process.stdin, "data");
      return String(answer).trim();
    },
    end() {
      for (const child of ends) child.kill();
    },
  };
}

if (inside) {
  inNamespace();
} else {
  test("the data plane in a network namespace", {
    skip: reasonToSkip(["ip", "bridge", "nft", "unshare", "nsenter", "conntrack"]),
  }, (t) => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout } = spawnSync(
      "unshare",
      ["--net", process.execPath, fileURLToPath(import.meta.url)],
      { encoding: "utf8", env: { ...env, GAM_TEST_NAMESPACE: "1" }, timeout: 280_000 },
    );
    for (const line of stdout.split("\n").filter((one) => / ms$/.test(one))) t.diagnostic(line);
    assert.equal(status, 0, stdout);
  });
}
