/**
 * Overlay: what networks across hosts cost, beside Docker Swarm's own and rules by hand.
 *
 *   node test/bench/overlay.ts [--rounds 3] [--seconds 4] [--only swarm|gam] [--lab 57] [--check]
 *
 * One lab of five hosts on one switch: gam on the first three, the engines' own Swarm on the other two.
 * Each round measures all, one after the other, so that other work of the machine affects all of them.
 * Ratios are taken within a round.
 *
 *   streams    one TCP stream between containers on two hosts, between the hosts themselves, and from a third host
 *              to a published port
 *   requests   from a container to a task on another host, and from a third host at a published port
 *
 * "By hand" is a table with one rule that forwards to the same task on the same network.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab, LabError, labUnavailable } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { mustDocker } from "../lab/clusters/must-docker.ts";
import { type Container, containersOf, inspect } from "../lab/load/echo.ts";
import { mustRun } from "../lab/load/must-run.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";
import { listen, type Place, requestsPerSecond, streamGbit, streamPort } from "./traffic.ts";

const {
  rounds,
  seconds,
  only,
  lab: number,
} = benchOptions({ rounds: 3, seconds: 4, only: "", lab: 57 });
const gamHosts = 3;
const publishedPort = 8080;
const handPort = 18_080;
const publishedStreamPort = 8081;
const handStreamPort = 18_081;
const handVip = "198.51.100.1";
const forgottenMs = 3000;

type Figure = () => Promise<number>;

interface Wanted {
  readonly figure: string;
  readonly to: string;
  readonly least: number;
}

const wanted: readonly Wanted[] = [
  { figure: "stream, gam", to: "stream, Swarm", least: 1 },
  { figure: "stream, gam, service address", to: "stream, gam", least: 0.95 },
  { figure: "stream, published port", to: "stream, port by hand", least: 0.9 },
  ...["keep-alive", "new connections"].flatMap((kind) => [
    { figure: `${kind}, service address`, to: `${kind}, DNAT by hand`, least: 0.9 },
    { figure: `${kind}, published port`, to: `${kind}, port by hand`, least: 0.9 },
  ]),
];

const unavailable = labUnavailable({ iperf3: "iperf3", wrk: "wrk" });
if (unavailable !== undefined) throw new LabError(`Cannot start a lab: ${unavailable}`);
const lab = await Lab.up({ hosts: 5, number, echo: true });
try {
  const figures = new Map<string, { unit: string; figure: Figure; samples: number[] }>();
  const add = (name: string, unit: string, figure: Figure): void => {
    figures.set(name, { unit, figure, samples: [] });
  };
  if (only !== "gam") await addSwarm(add);
  if (only !== "swarm") await addGam(add);
  for (let round = 0; round < rounds; round += 1) {
    for (const { figure, samples } of figures.values()) samples.push(await figure());
  }
  for (const [name, { unit, samples }] of figures) print(name, samples, unit);
  for (const { figure, to, least } of wanted) {
    const [ours, theirs] = [figures.get(figure)?.samples, figures.get(to)?.samples];
    if (ours === undefined || theirs === undefined) continue;
    printRatio(`${figure} to ${to}`, ours, theirs, { least });
  }
} finally {
  await lab.down();
}

/** Hosts 4 and 5, without gam: the wire itself, and Swarm's overlay. */
async function addSwarm(add: (name: string, unit: string, figure: Figure) => void): Promise<void> {
  const [from, to] = [lab.host(4), lab.host(5)];
  await listen({ host: to });
  add("stream, hosts", "Gbit/s", () => streamGbit({ host: from }, to.address, seconds));

  await mustDocker(from, ["swarm", "init", "--advertise-addr", from.address], { engine: true });
  const token = await mustDocker(from, ["swarm", "join-token", "--quiet", "worker"], {
    engine: true,
  });
  const join = ["swarm", "join", "--token", token, "--advertise-addr", to.address];
  await mustDocker(to, [...join, from.address], { engine: true });
  const create = ["network", "create", "--driver", "overlay", "--attachable", "overlay"];
  await mustDocker(from, create, { engine: true });
  const client = await plainContainer(from, "overlay", true);
  const server = await plainContainer(to, "overlay", true);
  await listen(server);
  const address = addressIn(server, "overlay");
  add("stream, Swarm", "Gbit/s", () => streamGbit(client, address, seconds));
}

/** A container on the first host, a task on the second, and the third as an outside client. */
async function addGam(add: (name: string, unit: string, figure: Figure) => void): Promise<void> {
  const [first, second, third] = [lab.host(1), lab.host(2), lab.host(3)];
  await Promise.all([first, second, third].map((host) => host.startAgent()));
  const mesh = await LabMesh.form(lab, gamHosts);
  // Each way to the same task uses the same client ports. The kernel would keep the ended connections of one
  // way for two minutes and disturb the next.
  const forget = "sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=1";
  for (const host of [first, second, third]) await mustRun(host, forget.split(" "));
  const stream = async (network: string, name: string, options: string[]): Promise<Stage> => {
    const stage = await setStage(mesh, network, options);
    await listen(stage.task);
    const address = addressIn(stage.task, network);
    add(name, "Gbit/s", () => streamGbit(stage.client, address, seconds));
    return stage;
  };
  const { client, task, vip } = await stream("plain", "stream, gam", []);
  add("stream, gam, service address", "Gbit/s", () => streamGbit(client, vip, seconds));
  if (await encrypts(mesh)) {
    const encrypted = ["--opt", "encrypted"];
    const stage = await stream("secret", "stream, gam, encrypted", encrypted);
    add("stream, gam, encrypted, service address", "Gbit/s", () => {
      return streamGbit(stage.client, stage.vip, seconds);
    });
  }

  const address = addressIn(task, "plain");
  await writeRulesByHand(first, address);
  const stranger: Place = { host: third };
  for (const [name, port] of [
    ["port by hand", handStreamPort],
    ["published port", publishedStreamPort],
  ] as const) {
    add(`stream, ${name}`, "Gbit/s", () => streamGbit(stranger, first.address, seconds, port));
  }
  const places: readonly (readonly [string, Place, string])[] = [
    ["direct", client, `http://${address}/`],
    ["DNAT by hand", client, `http://${handVip}/`],
    ["service address", client, `http://${vip}/`],
    ["port by hand", stranger, `http://${first.address}:${handPort}/`],
    ["published port", stranger, `http://${first.address}:${publishedPort}/`],
  ];
  for (const newConnections of [false, true]) {
    const kind = newConnections ? "new connections" : "keep-alive";
    for (const [name, from, url] of places) {
      const how = { newConnections, seconds };
      add(`${kind}, ${name}`, "requests/s", async () => {
        await pause(forgottenMs);
        return await requestsPerSecond(from, url, how);
      });
    }
  }
}

interface Stage {
  readonly client: Container;
  readonly task: Container;
  readonly vip: string;
}

/** Makes a network with a plain container on the first host and a service with one task on the second. */
async function setStage(mesh: LabMesh, network: string, options: string[]): Promise<Stage> {
  const [first, second] = [lab.host(1), lab.host(2)];
  const create = ["network", "create", "--driver", "overlay", "--attachable", ...options];
  await mustDocker(first, [...create, network]);
  const name = `web-${network}`;
  const ports = [`${publishedPort}:80`, `${publishedStreamPort}:${streamPort}`];
  const publish = options.length > 0 ? [] : ports.flatMap((port) => ["--publish", port]);
  const where = ["--constraint", "node.hostname==host2", "--network", network, ...publish];
  const flags = ["--name", name, "--detach", "--quiet", "--no-resolve-image", ...where];
  await mustDocker(first, ["service", "create", ...flags, "gam/echo:1"]);
  await mesh.running(first, name, 1);
  const client = await plainContainer(first, network, false);
  const [task] = await containersOf(second, `com.docker.swarm.service.name=${name}`);
  if (task === undefined) throw new LabError(`Cannot find the task of ${name}`);
  const vips = "{{range .Endpoint.VirtualIPs}}{{.NetworkID}}={{.Addr}} {{end}}";
  const said = await mustDocker(first, ["service", "inspect", "--format", vips, name]);
  const id = await mustDocker(first, ["network", "inspect", "--format", "{{.ID}}", network]);
  const vip = new RegExp(`${id}=([\\d.]+)`).exec(said)?.[1];
  if (vip === undefined) throw new LabError(`Cannot find the address of ${name}: it has "${said}"`);
  return { client, task, vip };
}

async function plainContainer(host: Host, network: string, engine: boolean): Promise<Container> {
  const run = ["run", "--detach", "--network", network, "gam/echo:1"];
  const id = await mustDocker(host, run, { engine });
  const found = await inspect(host, id);
  if (found === undefined) throw new LabError(`Cannot find container ${id} at ${host.name}`);
  return found;
}

/** Errors: LabError when the container is not in that network. */
function addressIn({ name, addresses }: Container, network: string): string {
  const entry = Object.entries(addresses).find(([one]) => one === network);
  const address =
    entry?.[1] ?? (Object.keys(addresses).length === 1 && Object.values(addresses)[0]);
  if (!address)
    throw new LabError(`Cannot find ${name} in ${network}: ${JSON.stringify(addresses)}`);
  return address;
}

/** The rules that a person would write to forward to one task. */
async function writeRulesByHand(host: Host, task: string): Promise<void> {
  const input = `table ip bench {
  chain before {
    type nat hook prerouting priority dstnat;
    ip daddr ${handVip} dnat to ${task}
    ip daddr ${host.address} tcp dport ${handPort} dnat to ${task}:80
    ip daddr ${host.address} tcp dport ${handStreamPort} dnat to ${task}:${streamPort}
  }
  chain after {
    type nat hook postrouting priority srcnat;
    ip daddr ${task} ct status dnat ct original ip daddr { ${handVip}, ${host.address} } masquerade
  }
}
`;
  await mustRun(host, ["nft", "-f", "-"], input);
  await mustRun(host, ["iptables", "-I", "DOCKER-USER", "-d", task, "-j", "ACCEPT"]);
}

/** Whether the hosts can encrypt. If not, an encrypted network is refused. */
async function encrypts(mesh: LabMesh): Promise<boolean> {
  const host = mesh.lab.host(1);
  return (await host.exec(["sh", "-c", "command -v wireguard-go"])).code === 0;
}
