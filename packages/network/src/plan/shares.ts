/**
 * Shares: which tasks of a service get its new connections, and which part of them each one gets.
 *
 * Without a rollout all get the same. While two versions run, each gets the part that the state says
 * (`trafficShares`), whatever the number of its tasks, and divides it evenly among them. A task whose part is nothing
 * gets no new connections. A client that sticks to a task sticks to a version as well: when the part of a version
 * grows, clients only go over to it.
 */
import {
  ingressLabel,
  type Node,
  readLabel,
  type Service,
  stickyLabel,
  trafficShares,
} from "@gam/state";
import { affinityOf, affinityOfGroups } from "./affinity.ts";
import type { ServicePlane } from "./node-plan.ts";
import type { Server } from "./segment.ts";

/** The sum of all parts is at most this, so that it fits into what the kernel counts with. */
const partsMax = 2 ** 20;

/**
 * `servers`: healthy tasks, sorted by address. Returns: those that get connections, and how many.
 * `isSticky`: whether a client stays with one task; by the label by default.
 */
export function spreadOver(
  service: Service,
  servers: readonly Server[],
  isSticky = readLabel(stickyLabel, service.Spec.Labels) !== undefined,
): Pick<ServicePlane, "backends" | "parts" | "affinity"> {
  const shares = sharesOf(service, servers);
  const chosen =
    shares === undefined ? servers : servers.filter((one) => weightOf(shares, one) > 0);
  const backends = chosen.map(({ address }) => address);
  if (chosen.length < 2) return { backends };
  if (isSticky) {
    const affinity =
      shares === undefined
        ? affinityOf(chosen.map(toBackend))
        : affinityOfGroups(service.Spec.Name, groupsOf(chosen, shares));
    return { backends, affinity };
  }
  const parts = shares && partsOf(chosen.map((one) => weightOf(shares, one)));
  return parts === undefined ? { backends } : { backends, parts };
}

/** The tasks to which a port of the node leads. A service may prefer those on the node itself. */
export function serversOfPort(
  service: Service,
  servers: readonly Server[],
  node: Node,
): readonly Server[] {
  const isLocal = readLabel(ingressLabel, service.Spec.Labels) === "local";
  return isLocal ? nearFirst(service, servers, node) : servers;
}

/**
 * The tasks on the node itself, or all if there are none. While two versions run, that holds for each of them:
 * otherwise a node with tasks of one version would send nothing to the other one.
 */
export function nearFirst(
  service: Service,
  servers: readonly Server[],
  { ID }: Node,
): readonly Server[] {
  const isNear = ({ node }: Server): boolean => node.ID === ID;
  const isDivided = sharesOf(service, servers) !== undefined;
  const near = new Set(servers.filter(isNear).map((one) => (isDivided ? versionOf(one) : "all")));
  return servers.filter((one) => isNear(one) || !near.has(isDivided ? versionOf(one) : "all"));
}

type Shares = NonNullable<ReturnType<typeof trafficShares>>;

/** Returns: undefined when all get the same. */
function sharesOf(service: Service, servers: readonly Server[]): Shares | undefined {
  // Most services have never had one, and this is asked for each of them in each plan.
  if (service.Gam.rollout === undefined) return undefined;
  const shares = trafficShares(
    service,
    servers.map(({ task }) => task),
  );
  return shares && servers.some((one) => weightOf(shares, one) > 0) ? shares : undefined;
}

/** A whole number, also where the state has none. */
function weightOf(shares: Shares, { task }: Server): number {
  const weight = shares.get(task.ID) ?? 0;
  return Number.isSafeInteger(weight) ? Math.max(0, weight) : 0;
}

function versionOf({ task }: Server): number {
  return task.Gam.templateVersion;
}

function toBackend({ task, address }: Server) {
  return { id: task.ID, address };
}

/** The newest version first. */
function groupsOf(servers: readonly Server[], shares: Shares) {
  const groups = Map.groupBy(servers, versionOf);
  return [...groups]
    .sort(([a], [b]) => b - a)
    .map(([, members]) => ({
      weight: members.reduce((sum, one) => sum + weightOf(shares, one), 0),
      backends: members.map(toBackend),
    }));
}

/** Returns: whole numbers in the proportion of the weights, as small as possible; undefined when all are equal. */
export function partsOf(weights: readonly number[]): number[] | undefined {
  const divisor = weights.reduce(greatestCommon, 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (weights.every((weight) => weight === weights[0])) return undefined;
  if (total / divisor <= partsMax) return weights.map((weight) => weight / divisor);
  // Each bound is rounded for itself, so that what is lost does not add up.
  let before = 0;
  return weights.map((weight) => {
    const [from, to] = [before, before + weight].map((sum) => Math.round((partsMax * sum) / total));
    before += weight;
    return (to ?? 0) - (from ?? 0);
  });
}

function greatestCommon(a: number, b: number): number {
  return b === 0 ? a : greatestCommon(b, a % b);
}
