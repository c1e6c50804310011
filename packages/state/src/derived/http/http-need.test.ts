/** Which names services may have: no request has two answers, and each certificate stays while it is used. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecretId, ServiceId } from "@gam/core";
import fc from "fast-check";
import { httpWish } from "../../labels/http-labels.ts";
import type { Change } from "../../log/change.ts";
import { aCluster, aSecret, aService, aTask } from "../../testing/objects.ts";
import { TestLog } from "../../testing/test-log.ts";
import { networkNeed } from "../network-need.ts";
import { sameTemplate } from "../template.ts";
import { httpConflict, isProxy, proxySecrets } from "./http-need.ts";

type Labels = Record<string, string>;
const named = (host: string, more: Labels = {}): Labels => ({ "gam.http.host": host, ...more });

function aLog(...changes: readonly Change[]): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  log.write(aSecret("cert"), aSecret("other"));
  for (const change of changes) {
    const { outcome } = log.write(change);
    assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
  }
  return log;
}

const service = (name: string, Labels: Labels) => aService(name, { spec: { Labels } });

const pairs: readonly (readonly [
  title: string,
  first: Labels,
  second: Labels,
  want: RegExp | undefined,
])[] = [
  ["other names", named("a"), named("b"), undefined],
  ["the same name", named("a"), named("A"), /^a is already served for service one: choose another/],
  ["one of several names", named("x, a"), named("a"), /^a is already served for service one/],
  [
    "the same name with other paths",
    named("a"),
    named("a", { "gam.http.path": "/api" }),
    undefined,
  ],
  [
    "the same name and path",
    named("a", { "gam.http.path": "/v1, /api/" }),
    named("a", { "gam.http.path": "/api" }),
    /^a\/api is already served for service one/,
  ],
  [
    "a name that is redirected",
    named("b", { "gam.http.redirect": "a" }),
    named("a", { "gam.http.path": "/api" }),
    /^a is already served/,
  ],
  [
    "a redirect from a name that is served",
    named("a", { "gam.http.path": "/api" }),
    named("b", { "gam.http.redirect": "a" }),
    /^a is already served/,
  ],
  [
    "two redirects from one name",
    named("a", { "gam.http.redirect": "c" }),
    named("b", { "gam.http.redirect": "c" }),
    /^c is already served/,
  ],
  ["a star beside a name", named("*.a"), named("b.a"), undefined],
  [
    "two certificates for one name",
    named("a", { "gam.http.tls": "cert" }),
    named("a", { "gam.http.path": "/api", "gam.http.tls": "other" }),
    /^a is also served for service one, with another gam.http.tls/,
  ],
  [
    "HTTP and HTTPS for one name",
    named("a", { "gam.http.tls": "off" }),
    named("a", { "gam.http.path": "/api", "gam.http.tls": "cert" }),
    /^a is also served for service one, with another gam.http.tls/,
  ],
  [
    "ACME and a certificate for one name",
    named("a", { "gam.http.tls": "acme" }),
    named("a", { "gam.http.path": "/api", "gam.http.tls": "cert" }),
    /^a is also served for service one, with another gam.http.tls/,
  ],
  [
    "one certificate for both",
    named("a", { "gam.http.tls": "cert" }),
    named("a", { "gam.http.path": "/api", "gam.http.tls": "cert" }),
    undefined,
  ],
  [
    "a secret that does not exist",
    named("a"),
    named("b", { "gam.http.tls": "lost" }),
    /^label "gam.http.tls" of service two names the secret "lost", which does not exist/,
  ],
];

for (const [title, first, second, want] of pairs) {
  test(`two services: ${title}`, () => {
    const log = aLog(service("one", first));
    const { outcome } = log.write(service("two", second));
    if (want === undefined) return assert.equal(outcome.kind, "applied");
    assert.ok(outcome.kind === "refused");
    assert.match(outcome.message, want);
    // The same by an update.
    log.write(service("two", named("free")));
    const id = "two" as ServiceId;
    const { spec } = service("two", second);
    const basedOn = log.store.service(id)?.Version.Index ?? 0;
    const update = log.write({ kind: "updateService", id, spec, basedOn }).outcome;
    assert.ok(update.kind === "refused");
    assert.match(update.message, want);
  });
}

test("a service may keep its own names", () => {
  const { store } = aLog(service("one", named("a, b", { "gam.http.redirect": "c" })));
  assert.equal(httpConflict(store, service("one", named("a")).spec), undefined);
});

test("a name stays with a service that may go back to it", () => {
  const Rollback = { UpdateConfig: { Parallelism: 1, FailureAction: "rollback" } } as const;
  const log = aLog(aService("one", { spec: { Labels: named("a"), ...Rollback } }));
  const id = "one" as ServiceId;
  const { spec } = aService("one", { spec: { Labels: named("b"), ...Rollback } });
  const basedOn = log.store.service(id)?.Version.Index ?? 0;
  log.write({ kind: "updateService", id, spec, basedOn });
  assert.match(httpConflict(log.store, service("two", named("a")).spec) ?? "", /^a is already/);
});

test("a service in the host's network, or in none, cannot have a name", () => {
  const { store } = aLog();
  const Labels = named("a");
  const inHost = aService("x", { spec: { Labels }, template: { Networks: [{ Target: "host" }] } });
  assert.match(
    httpConflict(store, inHost.spec) ?? "",
    /needs a network .* leave out the network "host"/,
  );
  const alone = service("x", { ...Labels, "gam.container.network": "none" });
  assert.match(httpConflict(store, alone.spec) ?? "", /leave out the network "none"/);
});

test("the secret of a certificate cannot be removed, and its users are named", () => {
  const id = "cert" as SecretId;
  const log = aLog(service("one", named("a", { "gam.http.tls": "cert" })));
  const { outcome } = log.write({ kind: "removeSecret", id });
  assert.deepEqual(outcome, {
    kind: "refused",
    code: "BAD_REQUEST",
    message: "secret 'cert' is in use by the following service: one",
  });
  assert.deepEqual([...proxySecrets(log.store)], [id]);
  log.write({ kind: "removeService", id: "one" as ServiceId });
  assert.equal(log.write({ kind: "removeSecret", id }).outcome.kind, "applied");
});

test("no two accepted services have an answer for one request", () => {
  const host = fc.constantFrom("a", "b", "*.c");
  const path = fc.constantFrom("", "/x", "/x/y");
  const hosts = fc.uniqueArray(host, { minLength: 1 });
  const wish = fc.record({ hosts, path, redirect: fc.option(host) });
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 8 }), (wishes) => {
      const log = aLog();
      for (const [at, { hosts, path, redirect }] of wishes.entries()) {
        const Labels = named(hosts.join(","), {
          ...(path !== "" && { "gam.http.path": path }),
          ...(redirect !== null && { "gam.http.redirect": redirect }),
        });
        log.write(service(`s${at}`, Labels));
      }
      const claimed = new Set<string>();
      const whole = new Set<string>();
      for (const { Spec } of log.store.services()) {
        const found = httpWish(Spec.Labels);
        const own = new Set([...(found?.hosts ?? []), ...(found?.redirects ?? [])]);
        // A label that names one name twice is refused before it comes here.
        if (own.size < (found?.hosts.length ?? 0) + (found?.redirects.length ?? 0)) return;
        for (const one of found?.redirects ?? []) {
          assert.ok(!whole.has(one) && ![...claimed].some((claim) => claim.startsWith(`${one} `)));
          whole.add(one);
        }
        for (const one of found?.hosts ?? []) {
          assert.ok(!whole.has(one), one);
          for (const path of found?.paths ?? []) {
            assert.ok(!claimed.has(`${one} ${path}`), `${one} ${path}`);
            claimed.add(`${one} ${path}`);
          }
        }
      }
    }),
  );
});

test("a name, and another port, need new tasks; other HTTP labels do not", () => {
  const { spec: plain } = service("web", {});
  const { spec: one } = service("web", named("a"));
  const { spec: other } = service("web", named("b", { "gam.http.path": "/x" }));
  const { spec: port } = service("web", named("b", { "gam.http.port": "81" }));
  assert.equal(sameTemplate(plain, one), false);
  assert.equal(sameTemplate(one, other), true);
  assert.equal(sameTemplate(other, port), false);
});

test("tasks of a service with a name need an address in the ingress network", () => {
  const { store } = aLog();
  const extra = { serviceLabels: named("a") };
  const need = networkNeed(aTask("web", "t", { extra }), store);
  assert.match(need.problem, /needs ingress network/);
  assert.equal(networkNeed(aTask("web", "t"), store).problem, "");
});

test("isProxy() is true for tasks of the proxy that have not ended", () => {
  const log = aLog(aService("gam-http"));
  log.write({ kind: "createTask", task: aTask("gam-http", "t1", { node: "n" }) });
  log.write({ kind: "createTask", task: aTask("gam-http", "t2", { node: "n", state: "failed" }) });
  assert.deepEqual(
    log.store.tasks().map((task) => isProxy(task)),
    [true, false],
  );
});
