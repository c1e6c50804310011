/**
 * Ruleset: what of a node's plan is the packet filter's part, as text for `nft -f -`.
 *
 * Everything is in one table of gam's own, `ip gam`. Decides which packets get which address, and which
 * of those that must not reach the host are refused. Cannot decide that a packet is forwarded, because
 * what another table drops is dropped: the runtime keeps rules of its own among Docker's for that.
 *
 * Base chains and sets are always the same; only elements, and chains of services and ports, come and
 * go. So a packet is looked up in sets whose cost does not grow, and a change is a few lines.
 *
 * Drive it with ruleset() once, and with rulesetChange() from then on. Both are one transaction.
 *
 * Source: nft(8) 1.0.6; the order of hooks in "Netfilter hooks", wiki.nftables.org.
 */
import { tunnelRange } from "@gam/state";
import type { NodePlan, PortPlane, ServicePlane } from "./node-plan.ts";

const tunnelDevice = "gamwg";
const bridges = '"gam-*"';
/** Every node must come to the same slot for a client. */
const affinitySeed = "0x67616d";
/**
 * How long a connection to a service is remembered that has ended, in seconds. The kernel's default is
 * two minutes, in which a client comes round to the same port again; and when a container stops, the
 * Docker engine forgets all that is remembered of it, by address and port: the new one that has the
 * same port by then is cut.
 */
const endedSeconds = 1;
const policyName = "brief";
const briefly = `ct timeout set "${policyName}"`;

interface Table {
  /** Name to what its elements are. */
  readonly sets: ReadonlyMap<string, ElementSet>;
  /** Name to lines; those with a hook begin with it. Chains that are jumped to come first. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

interface ElementSet {
  readonly kind: "set" | "map";
  readonly type: string;
  /** Key to value, "" in sets. */
  readonly elements: ReadonlyMap<string, string>;
}

/**
 * The whole table, in place of the one that has the name. `old`: what is in that one, as its listing
 * says. The table itself stays, and with it what connections that stand were told of their end.
 */
export function ruleset(plan: NodePlan, old = ""): string {
  const { sets, chains } = tableOf(plan);
  const lines = ["table ip gam {", "}", "flush table ip gam"];
  const parts = [...old.matchAll(/^\t(\w+(?: \w+)?) (\S+) \{$/gm)].flatMap(
    ([, kind = "", name = ""]) =>
      kind === "ct timeout" && name === policyName ? [] : { kind, name },
  );
  // Maps go first, because they lead to chains.
  parts.sort((a, b) => Number(b.kind === "map") - Number(a.kind === "map"));
  lines.push(...parts.map(({ kind, name }) => `delete ${kind} ip gam ${name}`));
  const policy = `policy = { time_wait : ${endedSeconds} }`;
  lines.push("table ip gam {");
  lines.push(`\tct timeout ${policyName} {`, "\t\tprotocol tcp", "\t\tl3proto ip");
  lines.push(`\t\t${policy}`, "\t}");
  for (const [name, { kind, type, elements }] of sets) {
    lines.push(`\t${kind} ${name} {`, `\t\t${type}`);
    if (elements.size > 0) lines.push(`\t\telements = { ${listOf(elements)} }`);
    lines.push("\t}");
  }
  // Sets are known from the whole block, chains only once they were named.
  for (const [name, rules] of chains) {
    lines.push(`\tchain ${name} {`, ...rules.map((rule) => `\t\t${rule}`), "\t}");
  }
  return `${[...lines, "}"].join("\n")}\n`;
}

/** What makes the table of one plan that of another; "" when they are the same. */
export function rulesetChange(before: NodePlan, after: NodePlan): string {
  const was = tableOf(before);
  const is = tableOf(after);
  const lines: string[] = [];
  const gone = [...was.chains.keys()].filter((name) => !is.chains.has(name));
  for (const name of is.chains.keys()) {
    if (!was.chains.has(name)) lines.push(`add chain ip gam ${name}`);
  }
  for (const [name, { elements }] of is.sets) {
    const old = was.sets.get(name)?.elements ?? new Map<string, string>();
    const lost = missing(old, elements);
    const found = missing(elements, old);
    if (lost.size > 0) lines.push(`delete element ip gam ${name} { ${listOf(lost)} }`);
    if (found.size > 0) lines.push(`add element ip gam ${name} { ${listOf(found)} }`);
  }
  for (const [name, rules] of is.chains) {
    const old = was.chains.get(name);
    if (old !== undefined && old.join("\n") === rules.join("\n")) continue;
    if (old !== undefined) lines.push(`flush chain ip gam ${name}`);
    for (const rule of rules) {
      if (!isHook(rule)) lines.push(`add rule ip gam ${name} ${rule}`);
    }
  }
  for (const name of gone) lines.push(`flush chain ip gam ${name}`, `delete chain ip gam ${name}`);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function missing(
  from: ReadonlyMap<string, string>,
  there: ReadonlyMap<string, string>,
): Map<string, string> {
  return new Map([...from].filter(([key, value]) => there.get(key) !== value));
}

function listOf(elements: ReadonlyMap<string, string>): string {
  return [...elements].map(([key, value]) => (value === "" ? key : `${key} : ${value}`)).join(", ");
}

const isHook = (line: string): boolean => line.startsWith("type ");

/** A plan that comes after is compared with one that was a table already. */
const tables = new WeakMap<NodePlan, Table>();

function tableOf(plan: NodePlan): Table {
  const table = tables.get(plan) ?? makeTable(plan);
  tables.set(plan, table);
  return table;
}

function makeTable(plan: NodePlan): Table {
  return {
    sets: setsOf(plan),
    chains: new Map([
      ...plan.services.flatMap((service) => chainOfService(service)),
      ...plan.ports.flatMap((port) => chainOfPort(port)),
      ...baseChains(plan),
    ]),
  };
}

function setsOf({ networks, services, ports, neighbours }: NodePlan): Map<string, ElementSet> {
  const bridgeOf = new Map(networks.map(({ id, bridge }) => [id, quoted(bridge)]));
  const served = services.filter(({ backends }) => backends.length > 0);
  const open = ports.filter((port) => backendsOf(port).length > 0);
  const set = (type: string, keys: readonly string[]): ElementSet => {
    return { kind: "set", type, elements: new Map(keys.map((key) => [key, ""])) };
  };
  const map = (type: string, elements: readonly (readonly [string, string])[]): ElementSet => {
    return { kind: "map", type, elements: new Map(elements) };
  };
  const vni = "typeof @th,96,24";
  return new Map([
    ["neighbours", set("type ipv4_addr", neighbours)],
    [
      "vnis",
      set(
        vni,
        networks.map((network) => String(network.vni)),
      ),
    ],
    [
      "vnis_encrypted",
      set(
        vni,
        networks.flatMap((network) => (network.encrypted ? [String(network.vni)] : [])),
      ),
    ],
    [
      "vips",
      set(
        "type ipv4_addr",
        networks.flatMap(({ vips }) => vips),
      ),
    ],
    [
      "gateways",
      set(
        "type ipv4_addr",
        networks.map(({ gateway }) => gateway),
      ),
    ],
    [
      "internals",
      set(
        "type ifname",
        networks.flatMap((one) => (one.internal ? [quoted(one.bridge)] : [])),
      ),
    ],
    [
      "ingress_locals",
      set(
        "type ipv4_addr",
        networks.flatMap((one) => (one.ingress ? one.locals : [])),
      ),
    ],
    [
      "published",
      set(
        "type inet_proto . inet_service",
        ports.map(({ protocol, published }) => `${protocol} . ${published}`),
      ),
    ],
    [
      "gateway_of",
      map(
        "type ifname : ipv4_addr",
        networks.map((one) => [quoted(one.bridge), one.gateway]),
      ),
    ],
    [
      "hairpin",
      map(
        "type ipv4_addr . ipv4_addr : ipv4_addr",
        networks.flatMap(({ locals, gateway }) =>
          locals.map((local): [string, string] => [`${local} . ${local}`, gateway]),
        ),
      ),
    ],
    [
      "services",
      map(
        "type ipv4_addr : verdict",
        served.map((service) => [service.vip, `goto ${serviceChain(service)}`]),
      ),
    ],
    [
      "services_from",
      map(
        "type ifname . ipv4_addr : verdict",
        served.map((service) => [
          `${bridgeOf.get(service.network)} . ${service.vip}`,
          `goto ${serviceChain(service)}`,
        ]),
      ),
    ],
    [
      "ports",
      map(
        "type inet_proto . inet_service : verdict",
        open.map((port) => [`${port.protocol} . ${port.published}`, `goto ${portChain(port)}`]),
      ),
    ],
  ]);
}

const quoted = (name: string): string => `"${name}"`;
const serviceChain = ({ key }: ServicePlane): string => `service_${key}`;
const portChain = ({ key }: PortPlane): string => `port_${key}`;

function backendsOf({ local, remote }: PortPlane): readonly string[] {
  return local.length > 0 ? local : remote;
}

function chainOfService(service: ServicePlane): [string, string[]][] {
  if (service.backends.length === 0) return [];
  const choice = choiceOf(service.backends, service.affinity);
  return [[serviceChain(service), [`${briefly} dnat to ${choice}`]]];
}

function chainOfPort(port: PortPlane): [string, string[]][] {
  const backends = backendsOf(port);
  if (backends.length === 0) return [];
  const choice = choiceOf(backends, port.affinity);
  const target = `dnat to ${choice} : ${port.target}`;
  return [[portChain(port), [`meta l4proto ${port.protocol} ${briefly} ${target}`]]];
}

function choiceOf(backends: readonly string[], affinity: readonly string[] | undefined): string {
  const [first = ""] = backends;
  if (backends.length === 1) return first;
  const slots = affinity ?? backends;
  const map = slots.map((address, slot) => `${slot} : ${address}`).join(", ");
  if (affinity === undefined) return `numgen random mod ${slots.length} map { ${map} }`;
  return `jhash ip saddr mod ${slots.length} seed ${affinitySeed} map { ${map} }`;
}

/** Names of devices are compared last in each rule: of all that is looked at they cost most. */
function baseChains({ networks, vxlanPort }: NodePlan): [string, string[]][] {
  const ingress = networks.find((network) => network.ingress);
  const names = "ip daddr @gateways meta l4proto { tcp, udp } th dport 53";
  const published = "meta l4proto . th dport";
  // route_localnet lets the host call its own published ports at 127.0.0.1. Nobody else may.
  const noLoopback = ["daddr", "saddr"].map((end) => {
    return `ip ${end} 127.0.0.0/8 iifname ${bridges} drop`;
  });
  return [
    // Before Docker's own, which sees a connection only when it is none of ours. Packets of a connection
    // that stands do not come by here: what can be refused here costs them nothing.
    [
      "prerouting",
      [
        "type nat hook prerouting priority -110; policy accept;",
        ...noLoopback,
        "iifname . ip daddr vmap @services_from",
        "ip daddr @vips return",
        `${names} return`,
        "iifname @internals return",
        `fib daddr type local ${published} vmap @ports`,
      ],
    ],
    [
      "local",
      [
        "type nat hook output priority -110; policy accept;",
        "ip daddr vmap @services",
        "ip daddr @vips return",
        `${names} return`,
        `fib daddr type local ${published} vmap @ports`,
      ],
    ],
    [
      "postrouting",
      [
        "type nat hook postrouting priority 90; policy accept;",
        // A task that reached itself would answer itself, past us.
        "snat to ip saddr . ip daddr map @hairpin",
        "ct status dnat fib saddr type local snat to oifname map @gateway_of",
        ...(ingress === undefined
          ? []
          : [
              // Its answer comes back to this node only if it is this node that asked.
              `oifname "${ingress.bridge}" ct status dnat ip daddr != @ingress_locals snat to ${ingress.gateway}`,
            ]),
      ],
    ],
    [
      "vxlan",
      [
        "ip saddr @neighbours @th,96,24 != @vnis_encrypted accept",
        "@th,96,24 != @vnis accept", // Somebody else's.
        `iifname != "${tunnelDevice}" drop`,
      ],
    ],
    // What gets here though it is for a service found no task, and must not find the host instead.
    [
      "input",
      [
        "type filter hook input priority -10; policy accept;",
        `udp dport ${vxlanPort} goto vxlan`,
        "ct status dnat accept", // Answers to the host's own calls at 127.0.0.1 among them.
        ...noLoopback,
        `${names} accept`,
        // Of TCP the first packet only: a reset that goes to the host itself comes by here as well.
        "ip daddr @vips tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset",
        "ip daddr @vips meta l4proto != { tcp, icmp } reject",
        `${published} @published ct state new meta l4proto tcp reject with tcp reset`,
        `${published} @published ct state new reject`,
      ],
    ],
    [
      "output",
      [
        "type filter hook output priority -10; policy accept;",
        // Without the tunnel's own route it would leave by the default one, in the clear.
        `ip daddr ${tunnelRange} udp dport ${vxlanPort} oifname != "${tunnelDevice}" drop`,
        // Would tell a container to go past the bridge, where nobody answers for a service address.
        `icmp type redirect oifname ${bridges} drop`,
      ],
    ],
  ];
}
