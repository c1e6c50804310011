/**
 * Resolver route on a real kernel: a container with the engine's resolver at its loopback, and its host with the agent.
 * Each of the two answers with its own name and the asker's address.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { asSafe } from "../testing/index.ts";
import { wholeTable } from "./nft-table.ts";
import { type ResolverRoute, resolverChains } from "./resolver-route.ts";

const isAble = spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status === 0;
const skip = isAble ? false : "needs root, nft(8), unshare and nsenter";
const [gateway, own] = ["10.0.5.2", "10.0.5.20"];
const world = "198.51.100.53";
const inner = { udp: 40_001, tcp: 40_002 };

/** Answers at a UDP and a TCP port. */
const answering = `const [, name, at, udp, tcp] = process.argv;
const tell = (address) => name + " " + address;
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (_, from) => socket.send(tell(from.address), from.port, from.address));
require("node:net").createServer((one) => {
  one.on("error", () => undefined).end(tell(one.remoteAddress));
}).listen(Number(tcp), at, () => socket.bind(Number(udp), at, () => console.log("ready")));`;

/** Asks what the argument names, and prints the answer. */
const asking = `const [, kind, to, port] = process.argv;
const say = (text) => { console.log(String(text)); process.exit(); };
setTimeout(say, 1000, "no answer");
if (kind === "tcp") {
  require("node:net").connect(Number(port), to).on("data", say).on("error", (error) => say(error.code));
} else {
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", say).on("error", (error) => say(error.code)).send("?", Number(port), to);
}`;

const ways: Readonly<Record<string, ResolverRoute>> = {
  "the engine asks from the container": asSafe<ResolverRoute>({ gateway, own, servers: [world] }),
  "the engine asks from the host": asSafe<ResolverRoute>({ gateway, own, servers: [], inner }),
};

for (const [name, route] of Object.entries(ways)) {
  describe(`resolver route on a kernel: ${name}`, { skip }, () => {
    const spaces = new Map<string, ChildProcess>();
    const programs: ChildProcess[] = [];
    const enter = (space: string): string[] => ["-t", `${spaces.get(space)?.pid}`, "-n"];
    const inside = (space: string, script: string): string => {
      const words = [...enter(space), "sh", "-ec", script];
      const { status, stdout, stderr } = spawnSync("nsenter", words, { encoding: "utf8" });
      assert.equal(status, 0, `${stderr} in ${script}`);
      return stdout;
    };
    const answer = async (space: string, ...words: readonly (string | number)[]): Promise<void> => {
      const args = [process.execPath, "-e", answering, ...words.map(String)];
      const child = spawn("nsenter", [...enter(space), ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      programs.push(child);
      await once(child.stdout, "data");
    };
    const ask = (space: string, kind: "udp" | "tcp", to: string, port: number): string => {
      const args = [process.execPath, "-e", asking, kind, to, String(port)];
      const { stdout } = spawnSync("nsenter", [...enter(space), ...args], { encoding: "utf8" });
      return stdout.trim();
    };

    before(async () => {
      for (const space of ["host", "container"]) {
        const child = spawn("unshare", ["--net", "sh", "-c", "echo; exec sleep 60"]);
        spaces.set(space, child);
        await once(child.stdout, "data");
        inside(space, "ip link set lo up");
      }
      const pid = spaces.get("container")?.pid;
      // The container's first network is the engine's own, by which it sends to the outside.
      inside(
        "host",
        `ip link add lan type veth peer name eth0 netns ${pid}; ip addr add 172.18.0.1/16 dev lan
        ip link add gam type veth peer name eth1 netns ${pid}; ip addr add ${gateway}/24 dev gam
        ip link set lan up; ip link set gam up`,
      );
      inside(
        "container",
        `ip addr add 172.18.0.2/16 dev eth0; ip addr add ${own}/24 dev eth1; ip link set eth0 up
        ip link set eth1 up; ip route add default via 172.18.0.1
        for path in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 2 > $path; done`,
      );
      await answer("host", "agent", gateway, 53, 53);
      await answer("container", "engine", "127.0.0.11", inner.udp, inner.tcp);
      const chains = new Map(resolverChains(route));
      const table = { family: "ip", lasting: new Map(), sets: new Map(), chains } as const;
      inside("container", `nft -f - <<'END'\n${wholeTable(table)}\nEND`);
      if (route.inner === undefined) return;
      inside(
        "container",
        "for one in route_localnet accept_local; do echo 1 > /proc/sys/net/ipv4/conf/all/$one; done",
      );
    });
    after(() => {
      for (const child of [...programs, ...spaces.values()]) child.kill("SIGKILL");
    });

    const asked = route.inner === undefined ? world : "127.0.0.11";
    for (const kind of ["udp", "tcp"] as const) {
      test(`queries reach the agent by ${kind}`, () => {
        assert.equal(ask("container", kind, asked, 53), `agent ${own}`);
      });

      test(`the agent reaches the engine's resolver by ${kind}, and only where it must`, () => {
        const want = route.inner === undefined ? /ECONNREFUSED|no answer/ : /^engine 10\.0\.5\.2$/;
        assert.match(ask("host", kind, own, inner.udp), want);
      });
    }

    test("nothing else from outside reaches the container's loopback", async () => {
      await answer("container", "secret", "127.0.0.1", 7000, 7000);
      inside(
        "host",
        `ip route add 127.0.0.1 via ${own} dev gam table 7; ip rule add pref 0 to 127.0.0.1 lookup 7
        ip rule del pref 0 lookup local; ip rule add pref 5 lookup local
        echo 1 > /proc/sys/net/ipv4/conf/gam/route_localnet`,
      );
      assert.equal(ask("host", "udp", "127.0.0.1", 7000), "no answer");
      if (route.inner === undefined) return;
      inside("container", "nft flush chain ip gam resolver_guard");
      assert.match(ask("host", "udp", "127.0.0.1", 7000), /^secret/, "the guard was not tested");
    });
  });
}
