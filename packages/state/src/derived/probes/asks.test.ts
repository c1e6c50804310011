/** Whom the leader asks, and what tasks are asked by their hosts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId } from "@gam/core";
import { portToAsk } from "../../labels/http-target.ts";
import type { ServiceSpec } from "../../objects/service.ts";
import { aNetwork, aNode, aService, aTask, TestLog } from "../../testing/index.ts";
import { serviceAsks } from "./service-asks.ts";
import { asksOf } from "./task-asks.ts";

const web = "web" as ServiceId;
const canary = { "gam.rollout": "canary" };
const metrics = { "gam.rollout.check.prometheus.url": "http://prom:9090/" };
const query = { "gam.rollout.check.prometheus.query": 'sum(x{id=~"__TASKS__"})' };

/** A canary of which one task runs. */
function world(Labels: Record<string, string>, phase: "starting" | "watching" = "watching") {
  const log = new TestLog();
  const spec = (image: string): ServiceSpec => {
    const EndpointSpec = { Ports: [{ TargetPort: 8080 }] };
    return aService("web", { image, spec: { Labels, EndpointSpec } }).spec;
  };
  log.write({ kind: "joinNode", node: aNode("a") });
  log.write({ kind: "createNetwork", network: aNetwork("in", { Internal: true }) });
  log.write({ kind: "createNetwork", network: aNetwork("out") });
  log.write({ kind: "createService", id: web, spec: spec("tiny:1") });
  const basedOn = log.store.service(web)?.Version.Index ?? 0;
  log.write({ kind: "updateService", id: web, spec: spec("tiny:2"), basedOn });
  const service = () => log.store.service(web) as NonNullable<ReturnType<typeof log.store.service>>;
  const { rollout } = service().Gam;
  if (rollout !== undefined) {
    const status = { State: "updating", StartedAt: service().CreatedAt, Message: "" } as const;
    const now = { ...rollout, phase };
    const at = service().Version.Index;
    log.write({ kind: "progressRollout", id: web, basedOn: at, rollout: now, status, updated: [] });
  }
  const attachments = [
    { network: "in", address: "10.0.0.3" },
    { network: "out", address: "10.0.1.3" },
  ] as never;
  const endpoint = { Ports: [{ TargetPort: 8080 }] };
  const extra = { endpoint, attachments };
  const version = service().Gam.templateVersion;
  const task = (id: string, templateVersion: number) => {
    const made = aTask("web", id, { slot: 1, node: "a", extra: { ...extra, templateVersion } });
    log.write({ kind: "createTask", task: made });
  };
  task("old", version - 1);
  task("new", version);
  const asked = () =>
    Object.fromEntries(
      log.store.tasksOn("a" as NodeId).map((one) => [one.ID, asksOf(log.store, service(), one)]),
    );
  return {
    asked,
    urls: () => serviceAsks(log.store, service()).map(({ url }) => url),
    log,
    service,
  };
}

test("only tasks of the new version are asked whether they are well, where their host reaches them", () => {
  const { asked } = world({ ...canary, "gam.rollout.check.http": "/health?x=1" });
  const check = { address: "10.0.1.3", port: 8080, path: "/health?x=1" };
  assert.deepEqual(asked().new?.check, check);
  assert.deepEqual(asked().old?.check, undefined);
});

test("all tasks of a scaled service are asked for their number", () => {
  const scaled = { "gam.autoscale.max": "3", "gam.autoscale.http.url": ":99/load" };
  const { asked } = world({ ...scaled, "gam.autoscale.http.target": "5" });
  const number = { address: "10.0.1.3", port: 99, path: "/load" };
  assert.deepEqual([asked().new?.number, asked().old?.number], [number, number]);
});

test("nothing is asked of a service without such labels", () => {
  const { asked, urls } = world(canary);
  assert.deepEqual([asked().new, urls()], [{}, []]);
});

test("a query names the running tasks of the new version, once they run", () => {
  const labels = { ...canary, ...metrics, ...query, "gam.rollout.check.prometheus.max": "1" };
  const want = `http://prom:9090/api/v1/query?query=${encodeURIComponent('sum(x{id=~"new"})')}`;
  assert.deepEqual(world(labels).urls(), [want]);
  assert.deepEqual(world(labels, "starting").urls(), []);
});

test("a result out of bounds is a failure", () => {
  const labels = { ...canary, ...metrics, ...query, "gam.rollout.check.prometheus.max": "1" };
  const { log, service } = world(labels);
  const [ask] = serviceAsks(log.store, service());
  const body = (value: string) =>
    JSON.stringify({ status: "success", data: { resultType: "scalar", result: [1, value] } });
  assert.deepEqual(ask?.read({ status: 200, body: body("1") }), { kind: "passed", value: 1 });
  const failed = { kind: "failed", reason: "the query's result is 1.5, more than 1" };
  assert.deepEqual(ask?.read({ status: 200, body: body("1.5") }), failed);
});

test("a path without a port is asked where the service answers TCP", () => {
  const dns = { TargetPort: 53, Protocol: "udp" } as const;
  const web = { TargetPort: 8080, Protocol: "tcp" } as const;
  const named = { "gam.http.host": "a", "gam.http.port": "99" };
  assert.equal(portToAsk({ port: 7 }, [web], named), 7);
  assert.equal(portToAsk({}, [dns, web], named), 8080);
  assert.equal(portToAsk({}, [dns], named), 99);
  assert.equal(portToAsk({}, [dns], {}), undefined);
});
