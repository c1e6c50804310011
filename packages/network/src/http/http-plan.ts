/**
 * HTTP plan: which HTTP requests the proxy of each host answers, and from where, as one value.
 *
 * It is computed from the state alone and is the same on every host: a route leads to the service's address in the
 * ingress network, and each host's packet filter picks the task (plan/plan-node.ts), one of its own if it has any. So
 * tasks come and go without a change of the proxy, which would end its standing connections. Only a sticky service
 * lists its tasks, because the proxy has to tell them apart.
 */
import { assert, type NodeId, type SecretId, type ServiceId } from "@gam/core";
import {
  acmeLabel,
  guarded,
  type HttpAccount,
  type HttpWish,
  httpCertificate,
  httpPort,
  httpProxyName,
  httpWish,
  ingressOf,
  isWanted,
  type Network,
  noGuard,
  type PlanGuard,
  type Service,
  trafficShares,
  type View,
} from "@gam/state";
import { ip4 } from "../plan/safe-values.ts";
import { sorted } from "../plan/segment.ts";

export interface HttpPlan {
  /** By name, those with a star last. */
  readonly sites: readonly HttpSite[];
  /** What an ACME server may ask for, by its token. Sorted. */
  readonly challenges: readonly { readonly token: string; readonly answer: string }[];
}

/** One name. */
export interface HttpSite {
  /** Lower case; `*.example.com` stands for one more part. */
  readonly host: string;
  /** Absent: plain HTTP only. "awaited": there is none yet, so the name is not served. */
  readonly certificate?: HttpCertificate | "awaited";
  /** The name to which all requests are sent instead. */
  readonly redirect?: string;
  /** The longest path first. Empty with `redirect`. */
  readonly routes: readonly HttpRoute[];
}

/** A secret with the certificate chain and the key, both PEM. */
export interface HttpCertificate {
  readonly secret: SecretId;
  readonly version: number;
  /** For people. */
  readonly name: string;
}

export interface HttpRoute {
  readonly service: ServiceId;
  /** Without a slash at its end; "" for all paths. */
  readonly path: string;
  /** `address:port`. Empty: nothing answers now. */
  readonly upstreams: readonly string[];
  /** Whether a cookie binds a browser to one of the upstreams. */
  readonly sticky: boolean;
  readonly accounts: readonly HttpAccount[];
}

/** Returns: undefined where no proxy is wanted (`gam http on`). */
export function planHttp(view: View, guard: PlanGuard = noGuard): HttpPlan | undefined {
  const isWanted = view.services().some(({ Spec }) => Spec.Name === httpProxyName);
  return isWanted ? planSites(view, guard) : undefined;
}

/** Returns: what proxies would serve, whether there are any or not. */
export function planSites(view: View, guard: PlanGuard = noGuard): HttpPlan {
  const sites = new Map<string, HttpSite>();
  const ingress = ingressOf(view);
  for (const service of sorted(view.services(), ({ Spec }) => Spec.Name)) {
    const wish = httpWish(service.Spec.Labels);
    if (wish === undefined) continue;
    guarded(guard, service.ID, () => addSites(sites, { view, service, wish, ingress }), undefined);
  }
  const isWild = (host: string): string => (host.startsWith("*") ? "1" : "0");
  return {
    sites: sorted([...sites.values()], ({ host }) => `${isWild(host)} ${host}`),
    challenges: challengesIn(view),
  };
}

interface Asked {
  readonly view: View;
  readonly service: Service;
  readonly wish: HttpWish;
  readonly ingress: Network | undefined;
}

function addSites(sites: Map<string, HttpSite>, asked: Asked): void {
  const { view, service, wish } = asked;
  const upstreams = wish.isSticky ? tasksOf(asked) : addressOf(asked);
  const routes = wish.paths.map((path): HttpRoute => {
    return { service: service.ID, path, upstreams, sticky: wish.isSticky, accounts: wish.accounts };
  });
  for (const host of wish.hosts) {
    // The state refuses names that two services have. If there are some all the same, the first service keeps them.
    const known = sites.get(host);
    if (known?.redirect !== undefined) continue;
    const fresh = routes.filter(({ path }) => !known?.routes.some((one) => one.path === path));
    const all = [...(known?.routes ?? []), ...fresh];
    const longestFirst = all.sort(
      (a, b) => b.path.length - a.path.length || (a.path < b.path ? -1 : 1),
    );
    sites.set(host, { ...certificatePart(view, wish, host), ...known, host, routes: longestFirst });
  }
  const [redirect] = wish.hosts;
  assert(redirect !== undefined, "the label names one host at least");
  for (const host of wish.redirects) {
    if (sites.has(host)) continue;
    sites.set(host, { ...certificatePart(view, wish, host), host, redirect, routes: [] });
  }
}

/** Without its certificate a site must not be served in the clear. */
function certificatePart(view: View, wish: HttpWish, host: string): Pick<HttpSite, "certificate"> {
  if (wish.tls === "off") return {};
  const secret = httpCertificate(view, wish, host);
  if (secret === undefined) return { certificate: "awaited" };
  const { ID, Spec, Gam } = secret;
  return { certificate: { secret: ID, version: Gam.current, name: Spec.Name } };
}

function challengesIn(view: View): HttpPlan["challenges"] {
  const found = view.configs().flatMap(({ Spec, Gam }) => {
    const token = Spec.Labels[acmeLabel.challenge] ?? "";
    const data = Gam.contents.find(({ version }) => version === Gam.current)?.data;
    const answer = data === undefined ? "" : new TextDecoder().decode(data);
    // base64url, and one dot. Anything else may mean something in the proxy's configuration.
    return /^[\w-]+$/.test(token) && /^[\w.-]+$/.test(answer) ? [{ token, answer }] : [];
  });
  return sorted(found, ({ token }) => token);
}

function addressOf({ service, wish, ingress }: Asked): readonly string[] {
  const found = service.Endpoint.VirtualIPs?.find(({ NetworkID }) => NetworkID === ingress?.Id);
  const address = ip4(found?.Addr?.split("/")[0] ?? "");
  return address === undefined ? [] : [`${address}:${wish.port}`];
}

/** Where the healthy tasks of the service answer, sorted. None of a version that gets no connections. */
function tasksOf({ view, service, wish, ingress }: Asked): readonly string[] {
  const isUp = (id: NodeId): boolean => {
    return (view.node(id)?.Status.State ?? "down") !== "down";
  };
  const ready = view.tasksOf(service.ID).filter((task) => {
    const { Status, NodeID, Gam } = task;
    if (Status.State !== "running" || !isWanted(task)) return false;
    // Tasks of an older spec may answer at another port.
    return NodeID !== undefined && isUp(NodeID) && httpPort(Gam.serviceLabels) === wish.port;
  });
  const shares = trafficShares(service, ready);
  return ready
    .filter(({ ID }) => shares === undefined || (shares.get(ID) ?? 0) > 0)
    .flatMap(({ Gam }) => {
      const found = Gam.attachments.find(({ network }) => network === ingress?.Id);
      const address = ip4(found?.address ?? "");
      return address === undefined ? [] : [`${address}:${wish.port}`];
    })
    .sort();
}
