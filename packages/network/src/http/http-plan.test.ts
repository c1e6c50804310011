/** What the proxy of each host serves, and the configuration that makes Caddy do that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, SecretId, ServiceId, TaskId } from "@gam/core";
import { httpWish } from "@gam/state";
import { aSecret } from "@gam/state/testing";
import fc from "fast-check";
import { type Answer, answerOf } from "../testing/caddy-reading.ts";
import { oddView, TestCluster, withRollout } from "../testing/index.ts";
import { type CertificatePair, caddyConfig } from "./caddy-config.ts";
import { type HttpPlan, planHttp, planSites } from "./http-plan.ts";

type Labels = Record<string, string>;
const hash = `$2y$10$${"a".repeat(53)}`;

/** Nodes a and b; the ingress network; a service for each, with a task on each node. */
function aCluster(services: Record<string, Labels>): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b"]) cluster.node(name);
  cluster.network("ingress", { Ingress: true });
  cluster.write(aSecret("cert"));
  for (const [name, labels] of Object.entries(services)) {
    cluster.service(name, { labels });
    for (const node of ["a", "b"]) cluster.task(name, `${name}-${node}`, { node });
  }
  return cluster;
}

const sitesOf = (services: Record<string, Labels>): HttpPlan["sites"] =>
  planSites(aCluster(services).view).sites;

test("no proxy is configured before there is one", () => {
  const cluster = aCluster({ web: { "gam.http.host": "a" } });
  assert.equal(planHttp(cluster.view), undefined);
  cluster.service("gam-http");
  assert.equal(planHttp(cluster.view)?.sites.length, 1);
});

test("a name leads to the service's address, which stays when tasks change", () => {
  const cluster = aCluster({ web: { "gam.http.host": "a, b", "gam.http.port": "8080" }, x: {} });
  const before = planSites(cluster.view);
  const routes = [
    { service: "web", path: "", upstreams: ["10.1.1.1:8080"], sticky: false, accounts: [] },
  ];
  assert.deepEqual(before.sites, [
    { host: "a", routes },
    { host: "b", routes },
  ]);
  cluster.report("web-a", "failed");
  assert.deepEqual(planSites(cluster.view), before);
});

test("a sticky service lists its tasks, and drops one that leaves, fails or is on a lost node", () => {
  const labels = { "gam.http.host": "a", "gam.http.sticky": "cookie" };
  const cluster = aCluster({ web: labels });
  const upstreams = () => planSites(cluster.view).sites[0]?.routes[0]?.upstreams;
  assert.deepEqual(upstreams(), ["10.1.2.1:80", "10.1.2.2:80"]);
  cluster.write({ kind: "desireTask", id: "web-a" as TaskId, desired: "shutdown" });
  assert.deepEqual(upstreams(), ["10.1.2.2:80"]);
  cluster.write({ kind: "judgeNode", id: "b" as NodeId, status: { State: "down" } });
  assert.deepEqual(upstreams(), []);
});

test("a sticky service lists no tasks of a version that gets no connections", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("ingress", { Ingress: true });
  cluster.service("web", { labels: { "gam.http.host": "a", "gam.http.sticky": "cookie" } });
  cluster.task("web", "old", { node: "a", extra: { templateVersion: 1 } });
  cluster.task("web", "fresh", { node: "a", extra: { templateVersion: 2 } });
  const upstreams = (weight: number) => {
    const services = cluster.view.services().map((one) => withRollout(one, { version: 2, weight }));
    return planSites(oddView(cluster.view, { services })).sites[0]?.routes[0]?.upstreams;
  };
  assert.deepEqual(upstreams(0), ["10.1.2.1:80"]);
  assert.deepEqual(upstreams(100), ["10.1.2.2:80"]);
  cluster.report("old", "failed");
  // Nobody else is there.
  assert.deepEqual(upstreams(0), ["10.1.2.2:80"]);
});

test("services share a name by paths, and redirects lead to the first name", () => {
  const sites = sitesOf({
    web: { "gam.http.host": "a, c", "gam.http.redirect": "b", "gam.http.tls": "cert" },
    api: { "gam.http.host": "a", "gam.http.path": "/api/v1, /api", "gam.http.tls": "cert" },
    wild: { "gam.http.host": "*.a" },
  });
  const certificate = { secret: "cert", version: 1, name: "cert" };
  assert.deepEqual(
    sites.map(({ host, certificate, redirect, routes }) => {
      return [host, certificate, redirect, routes.map(({ service, path }) => `${service} ${path}`)];
    }),
    [
      ["a", certificate, undefined, ["api /api/v1", "api /api", "web "]],
      ["b", certificate, "a", []],
      ["c", certificate, undefined, ["web "]],
      ["*.a", undefined, undefined, ["wild "]],
    ],
  );
});

test("a service that was given no address yet has no upstreams", () => {
  const cluster = aCluster({});
  cluster.write({
    kind: "createService",
    id: "web" as ServiceId,
    spec: {
      Name: "web",
      Labels: { "gam.http.host": "a" },
      TaskTemplate: { ContainerSpec: { Image: "x" } },
      Mode: { Replicated: { Replicas: 1 } },
    },
  });
  assert.deepEqual(planSites(cluster.view).sites[0]?.routes[0]?.upstreams, []);
});

const pair: CertificatePair = { chain: "chain", key: "key" };
const all = new Map([["cert" as SecretId, pair]]);

function configOf(
  sites: HttpPlan["sites"],
  certificates = all,
  challenges: HttpPlan["challenges"] = [],
): string {
  return caddyConfig({ sites, challenges }, { socket: "/run/x.sock", certificates });
}

const url = (text: string): URL => new URL(text);

test("the configuration answers as the labels say", () => {
  const sites = sitesOf({
    web: { "gam.http.host": "a, *.a", "gam.http.redirect": "b", "gam.http.tls": "cert" },
    api: { "gam.http.host": "a", "gam.http.path": "/api", "gam.http.tls": "cert" },
    open: { "gam.http.host": "open", "gam.http.auth": `ada:${hash}` },
  });
  const config = configOf(sites);
  const answers: readonly (readonly [string, Answer])[] = [
    ["https://a/", { upstreams: ["10.1.1.1:80"] }],
    ["https://A/x", { upstreams: ["10.1.1.1:80"] }],
    ["https://a/api", { upstreams: ["10.1.1.2:80"] }],
    ["https://a/api/x", { upstreams: ["10.1.1.2:80"] }],
    ["https://a/apis", { upstreams: ["10.1.1.1:80"] }],
    ["https://x.a/", { upstreams: ["10.1.1.1:80"] }],
    ["http://a/api?x=1", { status: 308, location: "https://a/api?x=1" }],
    ["http://b/y", { status: 308, location: "https://a/y" }],
    ["https://b/y", { status: 308, location: "https://a/y" }],
    ["http://open/", { upstreams: ["10.1.1.3:80"], users: ["ada"] }],
    ["http://other/", { status: 404 }],
    ["https://open/", { status: 404 }],
  ];
  for (const [asked, want] of answers) assert.deepEqual(answerOf(config, url(asked)), want, asked);
});

test("a site without its certificate is not served in the clear", () => {
  const sites = sitesOf({ web: { "gam.http.host": "a", "gam.http.tls": "cert" } });
  const config = configOf(sites, new Map());
  assert.deepEqual(answerOf(config, url("http://a/")), { status: 503 });
  assert.deepEqual(answerOf(config, url("https://a/")), { status: "closed" });
  assert.ok(!config.includes("load_pem"));
});

test("equal states give equal texts, and hold each certificate once", () => {
  const services = {
    web: { "gam.http.host": "a, b", "gam.http.tls": "cert" },
    api: { "gam.http.host": "c", "gam.http.tls": "cert" },
  };
  const config = configOf(sitesOf(services));
  assert.equal(configOf(sitesOf(services)), config);
  assert.equal(config.split('"certificate":"chain"').length, 2);
});

test("each request of a name gets the service with the longest path of that name", () => {
  const host = fc.constantFrom("a", "b", "*.c");
  const path = fc.constantFrom("/", "/x", "/x/y", "/xy");
  const label = fc.record({
    host,
    path,
    redirect: fc.option(fc.constantFrom("r", "s"), { nil: undefined }),
    sticky: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(label, { maxLength: 6 }), (wishes) => {
      const services: Record<string, Labels> = {};
      const claimed = new Set<string>();
      for (const [at, { host, path, redirect, sticky }] of wishes.entries()) {
        // As the state does: nobody gets what another one has.
        const claims = [`${host}${path}`, ...(redirect === undefined ? [] : [redirect])];
        if (claims.some((claim) => claimed.has(claim))) continue;
        if (redirect !== undefined && host.startsWith("*")) continue;
        for (const claim of claims) claimed.add(claim);
        services[`s${at}`] = {
          "gam.http.host": host,
          "gam.http.path": path,
          ...(redirect && { "gam.http.redirect": redirect }),
          ...(sticky && { "gam.http.sticky": "cookie" }),
        };
      }
      const cluster = aCluster(services);
      const { sites } = planSites(cluster.view);
      const config = configOf(sites);
      for (const host of ["a", "b", "z.c", "r", "s", "q"]) {
        for (const path of ["/", "/x", "/x/y/z", "/xyz", "/x/yz"]) {
          const asked = url(`http://${host}${path}`);
          assert.deepEqual(answerOf(config, asked), expected(services, asked), asked.href);
        }
      }
    }),
  );
});

/** By the labels alone. Services have addresses in the order of their creation. */
function expected(services: Record<string, Labels>, { hostname, pathname }: URL): Answer {
  const all = Object.values(services).map((labels, at) => ({ wish: httpWish(labels), at }));
  const leading = all.find(({ wish }) => wish?.redirects.includes(hostname));
  if (leading !== undefined) {
    return { status: 308, location: `http://${leading.wish?.hosts[0]}${pathname}` };
  }
  const wild = hostname.replace(/^[^.]+/, "*");
  const fitting = all.flatMap(({ wish, at }) => {
    const isMine = wish?.hosts.some((one) => one === hostname || one === wild);
    return (isMine ? (wish?.paths ?? []) : [])
      .filter((path) => pathname === path || pathname.startsWith(`${path}/`))
      .map((path) => ({ path, at, sticky: wish?.isSticky ?? false }));
  });
  const [best] = fitting.sort((a, b) => b.path.length - a.path.length);
  if (best === undefined) return { status: 404 };
  if (!best.sticky) return { upstreams: [`10.1.1.${best.at + 1}:80`] };
  return { upstreams: [`10.1.2.${2 * best.at + 1}:80`, `10.1.2.${2 * best.at + 2}:80`] };
}
