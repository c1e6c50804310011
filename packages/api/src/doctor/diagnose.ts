/**
 * Diagnose: checks whether the hosts of a mesh have what they need, and says what to do if they do not.
 *
 * Decides from the state and from each node's examination of its own side. Collects nothing itself: the facts come
 * through the door. A check that could not run is "unknown", which is not a failure.
 */
import type { NodeId } from "@gam/core";
import type { Node, View } from "@gam/state";
import type { DoctorReport } from "@gam/state/answers";
import type { DoctorFacts, Examined, HostFacts, Mend } from "../door/doctor-facts.ts";
import { type AskedNode, addresses, clashes, names, versions } from "./cluster-checks.ts";
import { findingsOf } from "./findings.ts";
import { clocks, ofHost, ofMember } from "./host-checks.ts";
import { toOthers } from "./path-checks.ts";
import { leader, rivals, silent } from "./quorum-checks.ts";
import { hostOf, type Ruling } from "./ruling.ts";

export interface Scope {
  /** Whether the hosts have probed the paths between them. */
  readonly isProbed: boolean;
  /** Whether only findings about the asked host are wanted. */
  readonly onlySelf?: boolean;
}

export function diagnose(view: View, facts: DoctorFacts, scope: Scope): DoctorReport {
  const own = namedNodes(view, facts).find(({ ID }) => ID === facts.self);
  const self = own === undefined ? facts.self : hostOf(own);
  const report = reportOf(rulingsOf(view, facts, scope), self);
  if (scope.onlySelf !== true) return report;
  return { ...report, findings: report.findings.filter(({ hosts }) => hosts.includes(self)) };
}

/** A node that has joined a moment ago has no name in the state yet, but its host knows its own. */
function namedNodes(view: View, { examined }: DoctorFacts): Node[] {
  const names = new Map(examined.map((one) => [one.node, one.examination?.hostname ?? ""]));
  return view.nodes().map((node) => {
    const Hostname = node.Description.Hostname || (names.get(node.ID) ?? "");
    return { ...node, Description: { ...node.Description, Hostname } };
  });
}

/** Of a host in no cluster. */
export function diagnoseHost(facts: HostFacts): DoctorReport {
  const host = facts.hostname || "this host";
  return reportOf(ofHost(host, facts), host);
}

export interface MendOrder {
  readonly node: NodeId;
  readonly host: string;
  readonly mend: Mend;
  readonly fix: string;
}

/** Returns: what hosts can mend by themselves. */
export function mendsOf(view: View, facts: DoctorFacts): MendOrder[] {
  const rulings = rulingsOf(view, facts, { isProbed: false });
  return namedNodes(view, facts).flatMap((node) => {
    const host = hostOf(node);
    return rulings.flatMap((ruling) => {
      const { mend, result, hosts } = ruling;
      if (mend === undefined || result !== "failed" || !hosts.includes(host)) return [];
      const [finding] = findingsOf([ruling], "");
      return [{ node: node.ID, host, mend, fix: finding?.fix ?? "" }];
    });
  });
}

function rulingsOf(view: View, facts: DoctorFacts, { isProbed }: Scope): Ruling[] {
  const nodes = namedNodes(view, facts).sort((a, b) => compare(hostOf(a), hostOf(b)));
  const found = new Map(facts.examined.map((one) => [one.node, one]));
  const members = nodes.map((node): AskedNode => ({ node, own: found.get(node.ID)?.examination }));
  const answering = members.flatMap(({ node, own }) => (own === undefined ? [] : [node]));
  return [
    leader(facts, view),
    ...rivals(facts, view),
    ...members.flatMap(({ node, own }) =>
      own === undefined
        ? [silent(node, found.get(node.ID), facts, view)]
        : ofMember(
            node,
            { own, host: hostOf(node), ...expectedOf(found.get(node.ID), facts) },
            view,
          ),
    ),
    ...clocks(nodes.flatMap((node) => withHost(node, found.get(node.ID)))),
    ...names(members),
    ...members.flatMap(({ node, own }) =>
      own === undefined ? [] : toOthers(node, own, { others: answering, isProbed }),
    ),
    ...addresses(facts.pools),
    ...clashes(facts, view),
    ...versions(members),
  ];
}

function withHost<T extends object>(node: Node, examined: T | undefined): (T & { host: string })[] {
  return examined === undefined ? [] : [{ ...examined, host: hostOf(node) }];
}

/** Without a leader nobody can catch up, so no log is behind. */
function expectedOf(
  examined: Examined | undefined,
  { leaderlessMs }: DoctorFacts,
): { expected: number } {
  return { expected: leaderlessMs > 0 ? 0 : (examined?.expected ?? 0) };
}

function reportOf(rulings: readonly Ruling[], self: string): DoctorReport {
  return {
    healthy: rulings.every(({ result }) => result !== "failed"),
    findings: findingsOf(rulings, self),
    checks: rulings.map(({ topic, subject, result, found, remedy }) => ({
      ...{ topic, subject, result, found, remedy },
    })),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
