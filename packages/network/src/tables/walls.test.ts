/**
 * Walls on a real kernel: containers on bridges of a host send where only peers may, with their own and with
 * forged addresses. Each path is tried without the walls first, and must get through then.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import type { NetworkId, NodeId } from "@gam/core";
import type { NetworkPlane, NodePlan } from "../plan/node-plan.ts";
import { asSafe } from "../testing/index.ts";
import { hostTable } from "./host-table.ts";
import { wholeTable } from "./nft-table.ts";
import { wallTable6 } from "./walls.ts";

const isAble = spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status === 0;
const skip = isAble ? false : "needs root, nft(8), unshare and nsenter";

/** This host is 192.0.2.1. Members are 192.0.2.2, 192.0.2.3, and 192.0.2.130, a virtual machine on this host. */
const plane = (vni: number, internal: boolean): Partial<NetworkPlane> =>
  asSafe<Partial<NetworkPlane>>({
    id: `n${vni}` as NetworkId,
    vni,
    bridge: `gam-${vni}`,
    vxlan: `gamx-${vni}`,
    gateway: `10.0.${vni}.2`,
    internal,
    ingress: false,
    encrypted: false,
    vips: [`10.0.${vni}.9`],
    locals: [`10.0.${vni}.20`],
    remotes: [],
  });
const members = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.130"];
const plan = asSafe<Partial<NodePlan>>({
  self: "a" as NodeId,
  underlay: "192.0.2.1",
  vxlanPort: 4789,
  neighbours: members.slice(1),
  walls: {
    tunnelPort: 51820,
    members,
    guests: members.slice(1),
    doors: members.map((address) => ({ address, port: 7946 })),
    doors6: ["2001:db8::1", "2001:db8::2"].map((address) => ({ address, port: 7946 })),
    ownDoors: [7946],
    line: "lan0",
  },
  networks: [plane(5, false), plane(6, true)] as NetworkPlane[],
  services: [],
  ports: [],
}) as NodePlan;

/** Bridges of the host, and the container behind each. IPv6 addresses end in the same number. */
const bridges = {
  docker0: { host: "172.17.0.1/16", guest: "172.17.0.2/16" },
  "gam-5": { host: "10.0.5.2/24", guest: "10.0.5.20/24" },
  "gam-6": { host: "10.0.6.2/24", guest: "10.0.6.20/24" },
  lan0: { host: "198.51.100.1/24", guest: "198.51.100.2/24" },
  virbr0: { host: "192.0.2.129/25", guest: "192.0.2.130/25" },
} as const;
type Bridge = keyof typeof bridges;
/** Its IPv6 network is 2001:db8:DIGITS::/64. */
const digits = { docker0: "17", "gam-5": "5", "gam-6": "6", lan0: "98", virbr0: "99" } as const;

interface Way {
  readonly name: string;
  readonly from: Bridge;
  readonly to: string;
  readonly port?: number;
  readonly tcp?: boolean;
  /** Bytes of a datagram: more than 1500 go in fragments. */
  readonly bytes?: number;
  /** nft rules that change the container's packets, as a container with NET_RAW might forge them. */
  readonly forged?: string;
}

const [own, member, gateway] = ["192.0.2.1", "192.0.2.2", "172.17.0.1"];
const asMember = "ip saddr set 192.0.2.3";
const gre = "ip protocol set 47";
const closed: readonly Way[] = [
  { name: "VXLAN to a member", from: "docker0", to: member, port: 4789 },
  { name: "VXLAN to a member from an overlay", from: "gam-5", to: member, port: 4789 },
  { name: "VXLAN to a member, in fragments", from: "docker0", to: member, port: 4789, bytes: 4000 },
  {
    name: "VXLAN to a member as a member",
    from: "docker0",
    to: member,
    port: 4789,
    forged: asMember,
  },
  {
    name: "VXLAN to its own host as a member",
    from: "docker0",
    to: own,
    port: 4789,
    forged: asMember,
  },
  { name: "VXLAN to its own host", from: "docker0", to: own, port: 4789 },
  {
    name: "VXLAN to its own host as a member, in fragments",
    from: "gam-5",
    to: own,
    port: 4789,
    bytes: 4000,
    forged: asMember,
  },
  {
    name: "VXLAN to its bridge as a member",
    from: "docker0",
    to: gateway,
    port: 4789,
    forged: asMember,
  },
  {
    name: "VXLAN to the gateway of its network as a member",
    from: "gam-5",
    to: "10.0.5.2",
    port: 4789,
    forged: asMember,
  },
  { name: "VXLAN to a tunnel", from: "docker0", to: "198.18.0.2", port: 4789 },
  {
    name: "VXLAN to a tunnel as a member",
    from: "gam-5",
    to: "198.18.0.2",
    port: 4789,
    forged: asMember,
  },
  {
    name: "VXLAN to its own host's tunnel as a member",
    from: "gam-5",
    to: "198.18.0.1",
    port: 4789,
    forged: asMember,
  },
  { name: "anything to a tunnel", from: "docker0", to: "198.18.0.2", port: 9 },
  { name: "GRE to a tunnel", from: "gam-5", to: "198.18.0.2", port: 9, forged: gre },
  {
    name: "anything to its own host's tunnel",
    from: "gam-5",
    to: "198.18.0.1",
    port: 22,
    tcp: true,
  },
  { name: "WireGuard to a member", from: "docker0", to: member, port: 51820 },
  { name: "WireGuard to its own host", from: "gam-5", to: own, port: 51820 },
  { name: "the mesh of a member", from: "docker0", to: member, port: 7946, tcp: true },
  {
    name: "the mesh of a member from an overlay",
    from: "gam-5",
    to: member,
    port: 7946,
    tcp: true,
  },
  { name: "the mesh of its own host", from: "docker0", to: own, port: 7946, tcp: true },
  {
    name: "the mesh of its own host by its gateway",
    from: "gam-5",
    to: "10.0.5.2",
    port: 7946,
    tcp: true,
  },
  { name: "the mesh as a member", from: "gam-5", to: own, port: 7946, tcp: true, forged: asMember },
  { name: "VXLAN by IPv6 to its own host", from: "docker0", to: "2001:db8:17::1", port: 4789 },
  { name: "WireGuard by IPv6 to its own host", from: "gam-5", to: "2001:db8:5::1", port: 51820 },
  { name: "the mesh by IPv6", from: "docker0", to: "2001:db8:17::1", port: 7946, tcp: true },
  {
    name: "the mesh of a member by IPv6",
    from: "docker0",
    to: "2001:db8::2",
    port: 7946,
    tcp: true,
  },
  {
    name: "VXLAN by IPv6 to its own host, in fragments",
    from: "docker0",
    to: "2001:db8:17::1",
    port: 4789,
    bytes: 4000,
  },
  { name: "IPv6 from an internal network", from: "gam-6", to: "2001:db8:6::1", port: 80 },
  {
    name: "the mesh from an internal network",
    from: "gam-6",
    to: "10.0.6.2",
    port: 7946,
    tcp: true,
  },
  {
    name: "a port of its gateway from an internal network",
    from: "gam-6",
    to: "10.0.6.2",
    port: 22,
    tcp: true,
  },
  { name: "a port of its host from an internal network", from: "gam-6", to: own, port: 80 },
  {
    name: "GRE to its gateway from an internal network",
    from: "gam-6",
    to: "10.0.6.2",
    port: 9,
    forged: gre,
  },
  {
    name: "names at another network's gateway from an internal network",
    from: "gam-6",
    to: "10.0.5.2",
    port: 53,
  },
  { name: "a way out of an internal network", from: "gam-6", to: "192.0.2.77", port: 80 },
  {
    name: "a way from an internal network into another one",
    from: "gam-6",
    to: "10.0.5.20",
    port: 80,
  },
  { name: "a way into an internal network", from: "docker0", to: "10.0.6.20", port: 80 },
  {
    name: "a way into an internal network as one of it",
    from: "docker0",
    to: "10.0.6.20",
    port: 80,
    forged: "ip saddr set 10.0.6.77",
  },
];
const open: readonly Way[] = [
  { name: "another port of a member", from: "docker0", to: member, port: 80 },
  { name: "another port of its host", from: "gam-5", to: own, port: 22, tcp: true },
  { name: "VXLAN to who is no member", from: "docker0", to: "192.0.2.77", port: 4789 },
  {
    name: "the mesh's port of who is no member",
    from: "gam-5",
    to: "192.0.2.77",
    port: 7946,
    tcp: true,
  },
  { name: "names at the gateway of an internal network", from: "gam-6", to: "10.0.6.2", port: 53 },
  {
    name: "names at the gateway of an internal network, by TCP",
    from: "gam-6",
    to: "10.0.6.2",
    port: 53,
    tcp: true,
  },
  {
    name: "the mesh from a member behind a bridge",
    from: "virbr0",
    to: member,
    port: 7946,
    tcp: true,
  },
  { name: "VXLAN from a member behind a bridge", from: "virbr0", to: member, port: 4789 },
  { name: "VXLAN to this host from a member behind a bridge", from: "virbr0", to: own, port: 4789 },
  {
    name: "the mesh of this host from its own line",
    from: "lan0",
    to: "198.51.100.1",
    port: 7946,
    tcp: true,
  },
  {
    name: "the mesh of this host from its own line, by IPv6",
    from: "lan0",
    to: "2001:db8:98::1",
    port: 7946,
    tcp: true,
  },
  { name: "a port of its host by IPv6", from: "docker0", to: "2001:db8:17::1", port: 80 },
];

/** A counting table behind all other rules. */
const counting = `table inet seen {
  counter behind { }
  # What answers comes from there.
  set outside { type ifname; elements = { "lo", "eth0", "gamwg" } }
  chain input { type filter hook input priority 2000; icmpv6 type >= 133 accept; iifname != @outside counter name behind; }
  chain forward { type filter hook forward priority 2000; iifname != @outside counter name behind; }
}`;
const masquerade = `table ip nat {
  chain postrouting { type nat hook postrouting priority 100; iifname { docker0, gam-5 } oifname { eth0, gamwg } masquerade; }
}`;

/** Runs in each container: sends the packet that each line names, and prints a line when it is done. */
const sending = `require("node:readline").createInterface(process.stdin).on("line", (line) => {
  const { to, port, tcp, bytes = 100 } = JSON.parse(line);
  const done = () => console.log("done");
  if (tcp) {
    const socket = require("node:net").connect(port, to).on("error", () => undefined);
    return setTimeout(() => { socket.destroy(); done(); }, 20);
  }
  const socket = require("node:dgram").createSocket(to.includes(":") ? "udp6" : "udp4");
  const frame = Buffer.alloc(bytes);
  frame[0] = 8; // A frame of VXLAN, in network 5.
  frame[6] = 5;
  socket.send(frame, port, to, () => socket.close(done));
})`;

/** The tables under test. */
const without = [
  ...["walls", "tunnelled", "internal", "forward", "vxlan"].map((chain) => `ip gam ${chain}`),
  ...["walls", "input", "forward"].map((chain) => `ip6 gam ${chain}`),
];

describe("walls", { skip }, () => {
  const spaces = new Map<string, ChildProcess>();
  const senders = new Map<Bridge, ChildProcess>();
  const inside = (name: string, script: string, quiet = false): string => {
    const pid = String(spaces.get(name)?.pid);
    const { status, stdout, stderr } = spawnSync(
      "nsenter",
      ["-t", pid, "-n", "sh", "-ec", script],
      {
        encoding: "utf8",
      },
    );
    if (!quiet) assert.equal(status, 0, `${stderr} in ${script}`);
    return stdout;
  };
  const load = (name: string, text: string): string =>
    inside(name, `nft -f - <<'END'\n${text}\nEND`);

  before(async () => {
    for (const name of ["host", "line", ...Object.keys(bridges)]) {
      const child = spawn("unshare", ["--net", "sh", "-c", "echo; exec sleep 120"]);
      spaces.set(name, child);
      await once(child.stdout, "data");
      inside(name, "ip link set lo up");
    }
    const join = (bridge: Bridge, digit: string): void => {
      const pid = spaces.get(bridge)?.pid;
      const { host, guest } = bridges[bridge];
      const link = `to${digit}`;
      inside(
        "host",
        `ip link add ${bridge} type bridge; ip link set ${bridge} up
        ip addr add ${host} dev ${bridge}; ip -6 addr add 2001:db8:${digit}::1/64 dev ${bridge} nodad
        ip link add ${link} type veth peer name eth0 netns ${pid}; ip link set ${link} master ${bridge} up`,
      );
      inside(
        bridge,
        `ip addr add ${guest} dev eth0; ip link set eth0 up
        ip -6 addr add 2001:db8:${digit}::2/64 dev eth0 nodad
        ip route add default via ${host.split("/")[0]}; ip -6 route add default via 2001:db8:${digit}::1`,
      );
    };
    inside(
      "host",
      `ip link add eth0 type veth peer name eth0 netns ${spaces.get("line")?.pid}
      ip addr add 192.0.2.1/25 dev eth0; ip link set eth0 up; ip -6 addr add 2001:db8::1/64 dev eth0 nodad
      ip link add gamwg type veth peer name beyond; ip link set beyond up
      ip addr add 198.18.0.1/32 dev gamwg; ip link set gamwg up; ip neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev gamwg
      ip route add 198.18.0.2/32 dev gamwg
      for path in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $path; done
      echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`,
    );
    inside(
      "line",
      `ip link set eth0 address 02:00:00:00:00:01 up
      for n in 2 3 77; do ip addr add 192.0.2.$n/25 dev eth0; done
      ip -6 addr add 2001:db8::2/64 dev eth0 nodad; ip route add default via 192.0.2.1`,
    );
    for (const bridge of Object.keys(bridges) as Bridge[]) {
      join(bridge, digits[bridge]);
    }
    for (const bridge of Object.keys(bridges) as Bridge[]) {
      const words = ["-t", `${spaces.get(bridge)?.pid}`, "-n", process.execPath, "-e", sending];
      senders.set(bridge, spawn("nsenter", words, { stdio: ["pipe", "pipe", "inherit"] }));
    }
    load("host", masquerade);
    load("host", counting);
  });
  after(() => {
    for (const child of [...senders.values(), ...spaces.values()]) child.kill("SIGKILL");
  });

  /** How many packets of the path passed all rules, into the host or through it. */
  const passed = async (way: Way): Promise<number> => {
    const { from, forged } = way;
    if (forged !== undefined) {
      // After the container's own conntrack, like packets from a raw socket.
      const chain = `type filter hook output priority 300; ${forged};`;
      load(from, `table ip forge { chain output { ${chain} }; }`);
    }
    const count = (): number => {
      const counters = inside("host", "nft reset counters table inet seen");
      return Number(/packets (\d+)/.exec(counters)?.[1]);
    };
    count();
    const sender = senders.get(from);
    const sent = once(sender?.stdout ?? process.stdin, "data");
    sender?.stdin?.write(`${JSON.stringify(way)}\n`);
    await sent;
    if (forged !== undefined) inside(from, "nft delete table ip forge");
    return count();
  };

  const ways = [...closed, ...open];
  const [bare, walled] = [new Map<Way, number>(), new Map<Way, number>()];
  before(async () => {
    load("host", `${wholeTable(hostTable(plan))}${wholeTable(wallTable6(plan))}`);
    for (const way of ways) walled.set(way, await passed(way));
    load("host", `${without.map((chain) => `flush chain ${chain}`).join("; ")}`);
    for (const way of ways) bare.set(way, await passed(way));
  });

  for (const way of closed) {
    test(`blocked: ${way.name}`, () => {
      assert.ok((bare.get(way) ?? 0) > 0, "it does not pass without the walls either");
      assert.equal(walled.get(way), 0);
    });
  }
  for (const way of open) {
    test(`allowed: ${way.name}`, () => {
      assert.ok((bare.get(way) ?? 0) > 0, "it does not pass without the walls either");
      assert.equal(walled.get(way), bare.get(way));
    });
  }
});
