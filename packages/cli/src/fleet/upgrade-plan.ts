/**
 * Upgrade plan: which hosts get another gam, in which order, and which cannot. Pure.
 *
 * Everything follows from what the hosts say now, so a command that was interrupted goes on when it is run again.
 */
import { type GamPackage, misfit, type UpgradeHost, type UpgradeReport } from "@gam/state/answers";

/** `to`: packages of one version, for several kinds of hosts. `back`: what each host ran before. */
export type UpgradeGoal =
  | { readonly kind: "to"; readonly version: string; readonly packages: readonly GamPackage[] }
  | { readonly kind: "back"; readonly version: string };

export interface UpgradeRow {
  readonly host: UpgradeHost;
  /** `skip`: the user left it out. */
  readonly does: "done" | "install" | "cannot" | "skip";
  /** Only where it is to be installed. */
  readonly wanted?: GamPackage;
  /** Why it cannot; "" otherwise. */
  readonly why: string;
}

/** Returns: a row for each host, in the order in which they are upgraded. `skipped`: names or ids of hosts. */
export function upgradePlan(
  report: UpgradeReport,
  goal: UpgradeGoal,
  skipped: readonly string[],
): UpgradeRow[] {
  return inOrder(report).map((host): UpgradeRow => {
    if (skipped.includes(host.hostname) || skipped.includes(host.id)) {
      return { host, does: "skip", why: "" };
    }
    return rowOf(host, goal, report);
  });
}

/** Others first, so that a fault shows where it does least harm. The asked host last: it has the package. */
function inOrder({ hosts, self }: UpgradeReport): UpgradeHost[] {
  const rank = ({ id, role }: UpgradeHost): number => {
    if (id === self) return 3;
    return role === "leader" ? 2 : role === "voter" ? 1 : 0;
  };
  return [...hosts].sort(
    (a, b) => rank(a) - rank(b) || compare(a.hostname, b.hostname) || compare(a.id, b.id),
  );
}

function rowOf(host: UpgradeHost, goal: UpgradeGoal, report: UpgradeReport): UpgradeRow {
  const { gam } = host;
  if (gam === null) return { host, does: "cannot", why: silence(host, report) };
  if (gam.version === goal.version) return { host, does: "done", why: "" };
  if (goal.kind === "back") {
    const earlier = gam.kept.find(({ sha256 }) => sha256 === gam.earlier);
    if (earlier === undefined || earlier.version !== goal.version) {
      const why = `it does not keep the package of ${goal.version}. Give the package with "gam upgrade --to FILE"`;
      return { host, does: "cannot", why };
    }
    const problem = misfit(earlier, gam);
    if (problem !== undefined) return { host, does: "cannot", why: problem };
    return { host, does: "install", wanted: earlier, why: "" };
  }
  const wanted = goal.packages.find((one) => misfit(one, gam) === undefined);
  if (wanted !== undefined) return { host, does: "install", wanted, why: "" };
  const close = goal.packages.find((one) => one.machine === gam.machine && one.kind === gam.kind);
  const said = close ?? goal.packages[0];
  return { host, does: "cannot", why: (said && misfit(said, gam)) ?? "there is no package for it" };
}

function silence({ problem, role }: UpgradeHost, { autolock }: UpgradeReport): string {
  const unlock =
    autolock && role !== "worker"
      ? '. Managers are locked when they start: if it has restarted, run "gam unlock" on it'
      : "";
  return `it does not answer: ${problem}${unlock}`;
}

/**
 * Returns: the version to which all hosts can go back; undefined when there is none, or more than one.
 *
 * After an upgrade that was interrupted, hosts run two versions: then it is the one that the other hosts ran before.
 * A host that has gone back keeps no earlier package, so going back twice does not go forward again.
 */
export function backVersion({ hosts }: UpgradeReport): string | undefined {
  const said = hosts.flatMap(({ gam }) => gam ?? []);
  const running = new Set(said.map(({ version }) => version));
  const earlierOf = ({ kept, earlier }: (typeof said)[number]): string | undefined =>
    kept.find(({ sha256 }) => sha256 === earlier)?.version;
  const candidates =
    running.size > 1 ? [...running] : [...new Set(said.flatMap((gam) => earlierOf(gam) ?? []))];
  const fits = candidates.filter((version) =>
    said.every((gam) => gam.version === version || earlierOf(gam) === version),
  );
  return fits.length === 1 ? fits[0] : undefined;
}

/** Returns: why a host is not as it should be after an upgrade; undefined when it is. */
export function unsettled(
  host: UpgradeHost,
  report: UpgradeReport,
  /** An index of the log that every host should have applied by now. */
  applied: number,
): string | undefined {
  const { gam, heard, state, engine, hostname } = host;
  if (gam === null) return `${hostname}: ${silence(host, report)}`;
  if (!heard) return `${hostname} does not answer`;
  // Without an engine a node is never ready, and it may have been without one before.
  if (engine && state !== "ready") return `${hostname} is not ready: ${state}`;
  if (gam.installing !== "") return `${hostname} is installing a package`;
  if (gam.applied < applied) return `${hostname} has not caught up with the log`;
  return report.leader === null ? "there is no leader" : undefined;
}

/** Returns: why no host may be restarted now, apart from that host itself; undefined when it may. */
export function holdsBack(
  next: UpgradeHost,
  report: UpgradeReport,
  { skipped, applied }: { readonly skipped: readonly string[]; readonly applied: number },
): string | undefined {
  const { hosts, voters } = report;
  for (const host of hosts) {
    if (host.id === next.id || skipped.includes(host.hostname) || skipped.includes(host.id))
      continue;
    const reason = unsettled(host, report, applied);
    if (reason !== undefined) return reason;
  }
  const left = hosts.filter(({ id, heard }) => heard && id !== next.id && voters.includes(id));
  if (voters.includes(next.id) && voters.length > 1 && left.length <= voters.length / 2) {
    return `without ${next.hostname}, only ${left.length} of ${voters.length} voters would answer`;
  }
  return undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
