/** Cluster checks: what only all hosts together show: names, versions and addresses. */
import type { Node, View } from "@gam/state";
import type { Pools } from "@gam/state/answers";
import type { DoctorFacts, Examination } from "../door/doctor-facts.ts";
import { failed, hostOf, inWords, nameOf, passed, type Ruling } from "./ruling.ts";

/** Above this share in use a check fails: of all subnets, and of the addresses in one network. */
const usedShareMax = 0.9;

export interface AskedNode {
  readonly node: Node;
  readonly own: Examination | undefined;
}

/** Only hosts that answer: a silent host with a name of another one is an old record of it (quorum-checks.ts). */
export function names(members: readonly AskedNode[]): Ruling[] {
  const byName = new Map<string, Node[]>();
  for (const { node, own } of members) {
    if (own === undefined) continue;
    byName.set(own.hostname, [...(byName.get(own.hostname) ?? []), node]);
  }
  return [...byName].map(([name, nodes]) => {
    const places = inWords(nodes.map(({ ID, Status }) => `${Status.Addr} (${ID})`));
    if (name === "") {
      const cause = `The host with the address ${places} has no hostname`;
      const remedy = `Run "hostnamectl set-hostname NAME" there`;
      const hosts = nodes.map(hostOf);
      return failed("names", inWords(hosts), { found: cause, cause, remedy }, hosts);
    }
    if (nodes.length === 1) return passed("names", name);
    const cause = `${nodes.length} hosts are called ${name}: ${places}`;
    const remedy = `Give all but one of them another name: "hostnamectl set-hostname NAME" there`;
    return failed("names", name, { found: cause, cause, remedy });
  });
}

export function versions(members: readonly AskedNode[]): Ruling[] {
  const byVersion = new Map<string, string[]>();
  for (const { node, own } of members) {
    if (own === undefined) continue;
    byVersion.set(own.version, [...(byVersion.get(own.version) ?? []), hostOf(node)]);
  }
  if (byVersion.size === 0) return [];
  if (byVersion.size === 1) return [passed("versions", "mesh")];
  const sorted = [...byVersion].sort(([a], [b]) => -isNewer(a, b));
  const [[newest], ...older] = sorted as [[string, string[]], ...[string, string[]][]];
  const shown = sorted.map(([version, hosts]) => `${version} on ${inWords(hosts)}`);
  const cause = `Hosts run different versions of gam: ${shown.join("; ")}`;
  const hosts = older.flatMap(([, hosts]) => hosts);
  const remedy = `Run "gam upgrade --to FILE" with a package of ${newest}: it upgrades ${inWords(hosts)}, one host after the other. Until then, commands that need it are refused`;
  return [failed("versions", "mesh", { found: cause, cause, remedy }, hosts)];
}

/** Returns: 1 where `a` is the newer version, -1 where `b` is. */
function isNewer(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(/[.+-]/).map(Number)) as [
    number[],
    number[],
  ];
  for (const at of [0, 1, 2]) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return a < b ? -1 : 1;
}

export function addresses({ subnets, subnetsFree, networks }: Pools): Ruling[] {
  const full = networks.filter(({ used, size }) => used >= size * usedShareMax);
  const isScarce = subnets - subnetsFree >= subnets * usedShareMax;
  const scarcity = `${subnetsFree} of ${subnets} subnets are left for new networks`;
  return [
    isScarce
      ? failed("addresses", "address pool", {
          found: scarcity,
          cause: `Only ${scarcity}`,
          remedy:
            'Remove unused networks ("docker network ls"), or create new ones with their own --subnet',
        })
      : passed("addresses", "address pool"),
    ...full.map(({ name, subnet, used, size }) => {
      const found = `${used} of ${size} addresses of network "${name}" (${subnet}) are in use`;
      const remedy = "Scale its services down, or move some to a new, larger network";
      return failed("addresses", name, { found, cause: found, remedy }, []);
    }),
  ];
}

export function clashes({ clashes }: DoctorFacts, view: View): Ruling[] {
  return clashes.map(({ network, subnet, node, route }) => {
    const host = nameOf(view, node);
    const found = `Its subnet ${subnet} overlaps with route ${route} of ${host}`;
    return failed(
      "addresses",
      network,
      {
        found,
        cause: `Subnet ${subnet} of network "${network}" overlaps with route ${route} of ${host}`,
        remedy: `Create network "${network}" again with another --subnet, or remove that route ("ip route del ${route}" on ${host})`,
      },
      [host],
    );
  });
}
