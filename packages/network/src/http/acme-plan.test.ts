/** For which name a certificate is got next, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigId, SecretId } from "@gam/core";
import { acmeLabel } from "@gam/state";
import { aCluster, aConfig, aSecret, aService, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import {
  acmeFailure,
  acmeSettings,
  failureLabels,
  planAcme,
  renewAtMs,
  wantsAcme,
} from "./acme-plan.ts";
import { planSites } from "./http-plan.ts";

const nowMs = Date.UTC(2026, 5, 1);
const at = (ms: number): string => new Date(nowMs + ms).toISOString();
const settings = { server: "https://ca.example.com/dir", email: "ops@example.com", ca: "" };

interface World {
  readonly proxy?: boolean;
  readonly settings?: string;
}

function aWorld({ proxy = true, settings: text = JSON.stringify(settings) }: World = {}): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  if (proxy) log.write(aService("gam-http"));
  if (text !== "") log.write(aConfig("gam-http-acme", text));
  const labels = { "gam.http.host": "b, a", "gam.http.redirect": "c", "gam.http.tls": "acme" };
  log.write(aService("web", { spec: { Labels: labels } }));
  return log;
}

function certificate(log: TestLog, host: string, renew: string): void {
  const made = aSecret(`cert-${host}`);
  const Labels = { [acmeLabel.certificate]: host, [acmeLabel.renew]: renew };
  assert.equal(log.write({ ...made, spec: { ...made.spec, Labels } }).outcome.kind, "applied");
}

function failure(log: TestLog, host: string, again: string): void {
  const made = aConfig(`failed-${host}`, "no answer");
  const Labels = { ...failureLabels(host, undefined, nowMs), [acmeLabel.again]: again };
  log.write({ ...made, spec: { ...made.spec, Labels } });
}

const dueIn = (log: TestLog, ms = 0): string | undefined =>
  planAcme(log.store, nowMs + ms).due?.host;

test("nothing is due without a proxy, without settings, or with settings that nobody can read", () => {
  assert.equal(dueIn(aWorld({ proxy: false })), undefined);
  assert.equal(dueIn(aWorld({ settings: "" })), undefined);
  assert.equal(dueIn(aWorld({ settings: "{}" })), undefined);
  assert.equal(acmeSettings(aWorld({ settings: "no JSON" }).store), undefined);
  assert.deepEqual(acmeSettings(aWorld().store), settings);
});

test("names without a certificate come one after the other, also those that are redirected", () => {
  const log = aWorld();
  for (const host of ["a", "b", "c"]) {
    assert.equal(dueIn(log), host);
    certificate(log, host, at(1000));
  }
  assert.equal(dueIn(log), undefined);
  assert.equal(dueIn(log, 1000), "a", "renewed when it says so");
  assert.equal(planAcme(log.store, nowMs + 1000).due?.certificate?.Spec.Name, "cert-a");
});

test("a name that failed waits, and does not hold up the others", () => {
  const log = aWorld();
  failure(log, "a", at(5000));
  assert.equal(dueIn(log), "b");
  assert.equal(dueIn(log, 5000), "a");
  assert.match(
    acmeFailure(log.store, "a") ?? "",
    /^no answer \(failed 1 times, next try 2026-06-01T00:00:05/,
  );
  assert.equal(acmeFailure(log.store, "b"), undefined);
  const { store } = aWorld({ settings: "" });
  assert.match(acmeFailure(store, "b") ?? "", /run "gam http on --email ADDRESS"/);
});

test("what nobody needs any more is removed", () => {
  const log = aWorld();
  failure(log, "x", at(0));
  const challenge = aConfig("challenge", "t.x");
  log.nowMs = nowMs;
  log.write({ ...challenge, spec: { ...challenge.spec, Labels: { [acmeLabel.challenge]: "t" } } });
  const obsolete = (ms: number): string[] =>
    planAcme(log.store, nowMs + ms).obsolete.map(({ Spec }) => Spec.Name);
  assert.deepEqual(obsolete(0), ["failed-x"]);
  assert.deepEqual(obsolete(3_600_000), ["failed-x", "challenge"]);
  assert.deepEqual(planSites(log.store).challenges, [{ token: "t", answer: "t.x" }]);
});

test("a challenge that means something to the proxy is left out", () => {
  const log = aWorld();
  for (const [name, token, answer] of [
    ["one", "a/../b", "x"],
    ["two", "t", "{env.HOME}"],
    ["three", "*", "x"],
  ] as const) {
    const made = aConfig(name, answer);
    log.write({ ...made, spec: { ...made.spec, Labels: { [acmeLabel.challenge]: token } } });
  }
  assert.deepEqual(planSites(log.store).challenges, []);
});

test("a name is not served before it has its certificate, and the certificate is kept while it is used", () => {
  const log = aWorld();
  const of = (host: string) =>
    planSites(log.store).sites.find((site) => site.host === host)?.certificate;
  assert.equal(of("a"), "awaited");
  certificate(log, "a", at(1000));
  assert.deepEqual(of("a"), { secret: "cert-a", version: 1, name: "cert-a" });
  assert.equal(of("c"), "awaited");
  const { outcome } = log.write({ kind: "removeSecret", id: "cert-a" as SecretId });
  assert.equal(outcome.kind, "refused");
  assert.ok(wantsAcme(log.store));
  assert.equal(wantsAcme(new TestLog().store), false);
});

test("the pause after failures doubles from a minute to half a day", () => {
  const log = aWorld();
  const pauses: number[] = [];
  let before: Parameters<typeof failureLabels>[1];
  for (let n = 0; n < 14; n += 1) {
    const labels = failureLabels("a", before, nowMs);
    pauses.push((Date.parse(labels[acmeLabel.again] ?? "") - nowMs) / 60_000);
    if (before === undefined) {
      const made = aConfig("failed", "x");
      log.write({ ...made, spec: { ...made.spec, Labels: labels } });
    } else {
      const { ID: id, Version } = before;
      log.write({ kind: "updateConfig", id, labels, basedOn: Version.Index });
    }
    before = log.store.config("failed" as ConfigId);
  }
  assert.deepEqual(pauses.slice(0, 5), [1, 2, 4, 8, 16]);
  assert.deepEqual(pauses.slice(-2), [720, 720]);
});

test("in any history each name has one certificate at a time, and none is renewed before two thirds of its life", () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 100_000 }), fails: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const log = aWorld();
      let clockMs = nowMs;
      const lives = new Map<string, number>();
      for (const { afterMs, fails } of steps) {
        clockMs += afterMs;
        log.nowMs = clockMs;
        const { due } = planAcme(log.store, clockMs);
        if (due === undefined) continue;
        const madeMs = lives.get(due.host);
        if (madeMs !== undefined) assert.ok(clockMs >= madeMs + 60_000, "renewed too early");
        if (fails) {
          const labels = failureLabels(due.host, due.failed, clockMs);
          if (due.failed === undefined) {
            const made = aConfig(`f-${due.host}`, "x");
            log.write({ ...made, spec: { ...made.spec, Labels: labels } });
          } else {
            const { ID: id, Version } = due.failed;
            log.write({ kind: "updateConfig", id, labels, basedOn: Version.Index });
          }
          assert.notEqual(planAcme(log.store, clockMs).due?.host, due.host, "tried again at once");
          continue;
        }
        const renew = new Date(renewAtMs(clockMs, clockMs + 90_000)).toISOString();
        if (due.certificate === undefined) certificate(log, due.host, renew);
        else {
          const { ID: id, Version } = due.certificate;
          const labels = { [acmeLabel.certificate]: due.host, [acmeLabel.renew]: renew };
          log.write({ kind: "updateSecret", id, labels, basedOn: Version.Index });
        }
        if (due.failed !== undefined) log.write({ kind: "removeConfig", id: due.failed.ID });
        lives.set(due.host, clockMs);
      }
      const hosts = log.store.secrets().map(({ Spec }) => Spec.Labels[acmeLabel.certificate]);
      assert.equal(new Set(hosts).size, hosts.length);
    }),
  );
});
