/**
 * Return path: the rules for any plan, and on a real kernel with two asked nodes, a third with the task, and a client
 * that has addresses of its own and one of the task's node.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import type { NetworkId, NodeId } from "@gam/core";
import { macOf } from "@gam/state";
import type { NetworkPlane, NodePlan, PortPlane } from "../plan/node-plan.ts";
import { asSafe } from "../testing/index.ts";
import { type FastPlace, fastPathTable } from "./fast-path-table.ts";
import { hostTable } from "./host-table.ts";
import { wholeTable } from "./nft-table.ts";

const id = "ingress" as NetworkId;
const task = "10.0.5.20";
const gateways = { a: "10.0.5.2", b: "10.0.5.3", c: "10.0.5.4" } as const;
type Name = keyof typeof gateways;

function planOf(
  self: Name,
  { subnet = "10.0.5.0/24", bridges = gateways as Readonly<Record<string, string>> } = {},
): NodePlan {
  const { [self]: gateway, ...others } = bridges;
  const plane = asSafe<Partial<NetworkPlane>>({
    ...{ id, vni: 5, bridge: "gam-5", vxlan: "gamx-5", subnet, gateway: gateway ?? "" },
    ...{ internal: false, ingress: true, encrypted: false, vips: [] },
    bridges: Object.values(others),
    locals: self === "c" ? [task] : [],
    remotes: [
      ...Object.values(others).map((address) => ({ address, via: "192.0.2.1" })),
      ...(self === "c" ? [] : [{ address: task, via: "192.0.2.1" }]),
    ],
  }) as NetworkPlane;
  const ports = (["tcp", "udp"] as const).map((protocol) =>
    asSafe<PortPlane>({
      ...{ key: `${protocol}80`, protocol, published: 80, target: 8080 },
      ...{ backends: [task], others: [] },
    }),
  );
  const walls = { tunnelPort: 51820, members: [], guests: [], doors: [], doors6: [], ownDoors: [] };
  return asSafe<Partial<NodePlan>>({
    ...{ self: self as string as NodeId, underlay: "192.0.2.1", vxlanPort: 4789, neighbours: [] },
    ...{ walls, networks: [plane], services: [], ports },
  }) as NodePlan;
}

const rules = [
  {
    name: "the other nodes' bridges have zones",
    plan: planOf("a"),
    has: [
      "elements = { 02:42:0a:00:05:03 : 3, 02:42:0a:00:05:04 : 4 }",
      "elements = { 3 : 02:42:0a:00:05:03, 4 : 02:42:0a:00:05:04 }",
      'iifname "gam-5" ip saddr != 10.0.5.0/24 ct original zone set ether saddr map @zone_of_asked',
      'ct direction reply iifname "gam-5" ether daddr set ct original zone map @asked_by_zone',
    ],
  },
  {
    name: "only a container of the network itself is translated",
    plan: planOf("a"),
    has: ['oifname "gam-5" ct status dnat ip saddr 10.0.5.0/24 snat to 10.0.5.2'],
    hasNot: ["ip daddr != {", "status dnat snat"],
  },
  {
    name: "a bridge beyond the last zone has none, and its node translates clients",
    plan: planOf("a", {
      subnet: "10.0.0.0/8",
      bridges: { a: "10.1.0.0", b: "10.0.255.255", c: "10.1.0.1" },
    }),
    has: [
      "elements = { 65535 : 02:42:0a:00:ff:ff }",
      'oifname "gam-5" ct status dnat snat to 10.1.0.0',
    ],
    hasNot: ["02:42:0a:01:00:01"],
  },
  {
    name: "it still does not translate clients of its own tasks",
    plan: planOf("c", { subnet: "10.0.0.0/8", bridges: { c: "10.1.0.0" } }),
    has: [`oifname "gam-5" ct status dnat ip daddr != { ${task} } snat to 10.1.0.0`],
  },
  {
    name: "without an ingress network there are no rules",
    plan: { ...planOf("a"), networks: [] },
    has: ["map zone_of_asked", "map asked_by_zone"],
    hasNot: ["zone set", "ether daddr set"],
  },
];
for (const { name, plan, has, hasNot = [] } of rules) {
  test(`return path: ${name}`, () => {
    const text = wholeTable(hostTable(plan));
    assert.deepEqual(
      has.filter((line) => !text.includes(line)),
      [],
    );
    assert.deepEqual(
      hasNot.filter((line) => text.includes(line)),
      [],
    );
  });
}

test("return path: the fast path leaves clients from outside to the bridge", () => {
  const place = asSafe<FastPlace>({ network: id, address: task, device: "veth1" });
  const text = wholeTable(fastPathTable(planOf("c"), [place]));
  const [, chain = ""] = /chain in_5 \{([^}]*)/.exec(text) ?? [];
  assert.match(chain, /ip saddr != 10\.0\.5\.0\/24 accept\n.*\n*.*\n*.*fwd to/);
});

const isAble = spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status === 0;
const skip = isAble ? false : "needs root, nft(8), unshare and nsenter";

/** A task: answers with the address that it sees. */
const serving = `const port = 8080;
const tell = ({ address, port }) => address + ":" + port;
require("node:net").createServer((socket) => {
  socket.on("error", () => undefined).on("data", () => {
    socket.write(tell({ address: socket.remoteAddress, port: socket.remotePort }));
  });
}).listen(port, "0.0.0.0", () => {
  const udp = require("node:dgram").createSocket("udp4");
  udp.on("message", ({ length }, from) => udp.send(tell(from).padEnd(length), from.port, from.address));
  udp.bind(port, "0.0.0.0", () => console.log("ready"));
});`;

/** A client: asks what each line names, keeps the connections, and prints each answer. */
const asking = `require("node:readline").createInterface(process.stdin).on("line", (line) => {
  const { to, protocol, localPort, bytes = 1 } = JSON.parse(line);
  let isOver = false;
  const say = (text) => { if (!isOver) console.log(text); isOver = true; };
  setTimeout(say, 2000, "no answer").unref();
  if (protocol === "tcp") {
    const socket = require("node:net").connect({ host: to, port: 80, localPort });
    socket.on("connect", () => socket.write("?")).on("error", (error) => say(error.code));
    socket.on("data", (data) => say(String(data)));
  } else {
    const socket = require("node:dgram").createSocket({ type: "udp4", reuseAddr: true });
    socket.on("message", (data) => { socket.close(); say(String(data)); }).on("error", (error) => say(error.code));
    socket.bind(localPort, () => socket.send(Buffer.alloc(bytes), 80, to));
  }
})`;

describe("return path on a kernel", { skip }, () => {
  const spaces = new Map<string, ChildProcess>();
  const programs: ChildProcess[] = [];
  const inside = (name: string, script: string): string => {
    const words = ["-t", `${spaces.get(name)?.pid}`, "-n", "sh", "-ec", script];
    const { status, stdout, stderr } = spawnSync("nsenter", words, { encoding: "utf8" });
    assert.equal(status, 0, `${stderr} in ${script}`);
    return stdout;
  };
  const start = (name: string, script: string): ChildProcess => {
    const words = ["-t", `${spaces.get(name)?.pid}`, "-n", process.execPath, "-e", script];
    const child = spawn("nsenter", words, { stdio: ["pipe", "pipe", "inherit"] });
    programs.push(child);
    return child;
  };

  before(async () => {
    for (const name of ["switch", "a", "b", "c", "task", "client"]) {
      const child = spawn("unshare", ["--net", "sh", "-c", "echo; exec sleep 120"]);
      spaces.set(name, child);
      await once(child.stdout, "data");
      inside(name, "ip link set lo up");
    }
    const pid = (name: string): number => spaces.get(name)?.pid ?? 0;
    // The switch carries the wire and, as another bridge, the frames between the nodes' bridges.
    inside(
      "switch",
      "for one in wire overlay; do ip link add $one type bridge; ip link set $one up; done",
    );
    for (const [index, name] of (["a", "b", "c"] as const).entries()) {
      inside(
        "switch",
        `ip link add w${name} master wire up type veth peer name eth0 netns ${pid(name)}
        ip link add o${name} master overlay up type veth peer name gamx-5 netns ${pid(name)}`,
      );
      inside(
        name,
        `ip addr add 192.0.2.${index + 1}/24 dev eth0; ip link set eth0 up
        ip link add gam-5 address ${macOf(gateways[name])} type bridge nf_call_iptables 1
        ip link set gam-5 up; ip addr add ${gateways[name]}/24 dev gam-5
        ip link set gamx-5 master gam-5 up
        for path in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $path; done
        echo 1 > /proc/sys/net/ipv4/ip_forward`,
      );
    }
    inside(
      "switch",
      `ip link add wd master wire up type veth peer name eth0 netns ${pid("client")}`,
    );
    inside("client", "ip addr add 192.0.2.9/24 dev eth0; ip link set eth0 up");
    inside(
      "c",
      `ip link add vt master gam-5 up type veth peer name eth0 address ${macOf(task)} netns ${pid("task")}`,
    );
    inside(
      "task",
      `ip addr add ${task}/24 dev eth0; ip link set eth0 up; ip route add default via ${gateways.c}`,
    );
    for (const name of ["a", "b", "c"] as const) {
      inside(name, `nft -f - <<'END'\n${wholeTable(hostTable(planOf(name)))}\nEND`);
    }
    await once(start("task", serving).stdout ?? process.stdin, "data");
  });
  after(() => {
    for (const child of [...programs, ...spaces.values()]) child.kill("SIGKILL");
  });

  const askers = new Map<string, ChildProcess>();
  const ask = async (from: string, question: object): Promise<string> => {
    const asker = askers.get(from) ?? start(from, asking);
    askers.set(from, asker);
    const said = once(asker.stdout ?? process.stdin, "data");
    asker.stdin?.write(`${JSON.stringify(question)}\n`);
    return String((await said)[0]).trim();
  };

  for (const protocol of ["tcp", "udp"] as const) {
    const localPort = protocol === "tcp" ? 5000 : 6000;
    test(`a task sees the client's address and port by ${protocol}`, async () => {
      const answer = await ask("client", { protocol, to: "192.0.2.1", localPort });
      assert.equal(answer, `192.0.2.9:${localPort}`);
    });

    test(`the same port by another node is another connection by ${protocol}`, async () => {
      const question = { protocol, to: "192.0.2.2", localPort };
      const [address, port] = (await ask("client", question)).split(":");
      assert.equal(address, "192.0.2.9");
      assert.notEqual(port, String(localPort));
    });

    test(`the task's own node asks by another node by ${protocol}`, async () => {
      const answer = await ask("c", { protocol, to: "192.0.2.1", localPort: localPort + 1 });
      assert.equal(answer, `192.0.2.3:${localPort + 1}`);
    });

    test(`the asked node itself is translated by ${protocol}`, async () => {
      const answer = await ask("a", { protocol, to: "192.0.2.1", localPort: localPort + 2 });
      assert.match(answer, /^10\.0\.5\.2:/);
    });

    test(`the asked node has the task by ${protocol}`, async () => {
      const answer = await ask("client", { protocol, to: "192.0.2.3", localPort: localPort + 3 });
      assert.equal(answer, `192.0.2.9:${localPort + 3}`);
    });
  }

  test("datagrams in fragments find their way, both ways", async () => {
    const question = { protocol: "udp", to: "192.0.2.1", localPort: 6100, bytes: 4000 };
    assert.equal(await ask("client", question), "192.0.2.9:6100");
  });

  test("connections go on while the table is written again", async () => {
    for (const name of ["a", "b", "c"] as const) {
      const table = wholeTable(hostTable(planOf(name)));
      inside(name, `nft -f - <<'END'\n${wholeTable(hostTable(planOf(name)), table)}\nEND`);
    }
    assert.equal(
      await ask("client", { protocol: "udp", to: "192.0.2.1", localPort: 6000 }),
      "192.0.2.9:6000",
    );
  });
});
