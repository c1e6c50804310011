/** Which services run together, and what may not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId, TaskId } from "@gam/core";
import { serviceLabelProblem } from "../../labels/service-labels.ts";
import type { ServiceSpec, TaskSpec } from "../../objects/service.ts";
import { aCluster, aNetwork, aService, aTask, TestLog } from "../../testing/index.ts";
import { networkNeed, serviceNetworks } from "../network-need.ts";
import { sameTemplate } from "../template.ts";
import { mainOf, partsOf, podMates, replicasWanted, waitsForInit, whyNoPod } from "./pods.ts";

const global = { Global: {} };
const job = { ReplicatedJob: { MaxConcurrent: 1 } };
const stack = { "com.docker.stack.namespace": "shop" };
const inNet = (...names: string[]): Partial<TaskSpec> => ({
  Networks: names.map((Target) => ({ Target })),
});

type Wish = Parameters<typeof aService>[1];

function part(name: string, main: string, wish: Wish = {}, labels: Record<string, string> = {}) {
  const spec = { Labels: { "gam.pod": main, ...labels }, ...wish?.spec };
  return aService(name, { ...wish, spec });
}

function withContainer(change: object): Wish {
  return { template: { ContainerSpec: { Image: "x", ...change } } };
}

const laws: readonly (readonly [ServiceSpec, RegExp | undefined])[] = [
  [part("a", "web").spec, undefined],
  [part("a", "web", {}, { "gam.pod.role": "sidecar" }).spec, undefined],
  [part("a", "web", {}, { "gam.pod.restart": "together" }).spec, undefined],
  [part("a", "web", {}, { "gam.depends_on": "web:healthy" }).spec, undefined],
  [part("a", "web", {}, { "gam.pod.role": "main" }).spec, /has the value "main": use "sidecar" or/],
  [part("a", "web site").spec, /"gam.pod" has the value "web site": use the name of a service/],
  [
    aService("a", { spec: { Labels: { "gam.pod.role": "init" } } }).spec,
    /^label "gam.pod.role" has no effect without "gam.pod"/,
  ],
  [part("a", "web", { mode: job }).spec, /cannot be a job: use the mode of "web"/],
  [
    part("a", "web", { endpoint: { Ports: [{ TargetPort: 80 }] } }).spec,
    /^the ports of a part .* cannot be published: publish them at "web"/,
  ],
  [part("a", "web", {}, { "gam.autoscale.max": "3", "gam.autoscale.cpu": "50" }).spec, /"gam.auto/],
  [part("a", "web", {}, { "gam.antiaffinity.by": "node.labels.x" }).spec, /put it at "web"/],
  [part("a", "web", {}, { "gam.container.network": "none" }).spec, /^the label "gam.container.net/],
  [part("a", "web", withContainer({ Hostname: "a" })).spec, /^the host name of a part of a pod/],
  [part("a", "web", withContainer({ Hosts: ["10.0.0.1 b"] })).spec, /^the entries of \/etc\/hosts/],
  [
    part("a", "web", withContainer({ DNSConfig: { Nameservers: ["10.0.0.1"] } })).spec,
    /^the name servers of a part/,
  ],
  [part("a", "web", withContainer({ DNSConfig: {} })).spec, undefined],
  [part("a", "web", withContainer({ Hostname: "a" }), { "gam.pod.role": "init" }).spec, undefined],
  [
    part("a", "web", {}, { "gam.pod.role": "init", "gam.pod.restart": "together" }).spec,
    /"together" on an init container/,
  ],
];

test("what a part of a pod cannot have is refused, with where to put it", () => {
  for (const [spec, want] of laws) {
    const problem = serviceLabelProblem(spec);
    if (want === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", want);
  }
});

const conflicts: readonly (readonly [
  title: string,
  before: readonly ReturnType<typeof aService>[],
  asked: ReturnType<typeof aService>,
  want: RegExp | undefined,
])[] = [
  ["a part before its main service", [], part("a", "web"), undefined],
  ["a part after its main service", [aService("web")], part("a", "web"), undefined],
  ["itself", [], part("a", "a"), /^service a cannot be a part of its own pod/],
  [
    "itself, by its name in the stack",
    [],
    part("shop_a", "a", {}, stack),
    /^service shop_a cannot be a part of its own pod/,
  ],
  [
    "a part of a part",
    [aService("web"), part("a", "web")],
    part("b", "a"),
    /^service a is itself a part of the pod of web: name that service/,
  ],
  [
    "a main service that becomes a part",
    [part("a", "web")],
    part("web", "b"),
    /^service a is a part of the pod of web, so that cannot be a part of another/,
  ],
  ["a job as main service", [aService("web", { mode: job })], part("a", "web"), /is a job: a job/],
  [
    "another mode",
    [aService("web", { mode: global })],
    part("a", "web"),
    /but it is replicated and that is global: use the same mode/,
  ],
  [
    "a main service of another mode",
    [part("a", "web")],
    aService("web", { mode: global }),
    /but it is replicated and that is global: use the same mode/,
  ],
  [
    "a network that the main service is not in",
    [aService("web", { template: inNet("front") })],
    part("a", "web", { template: inNet("back") }),
    /is in network back and that is not: give both the same networks/,
  ],
  [
    "a network of its main service",
    [aService("web", { template: inNet("front", "back") })],
    part("a", "web", { template: inNet("back") }),
    undefined,
  ],
  [
    "an init container in another network",
    [aService("web", { template: inNet("front") })],
    part("a", "web", { template: inNet("back") }, { "gam.pod.role": "init" }),
    undefined,
  ],
];

for (const [title, before, asked, want] of conflicts) {
  test(`pods: ${title} is ${want === undefined ? "allowed" : "refused"}`, () => {
    const log = new TestLog();
    for (const Id of ["front", "back"]) log.write({ kind: "createNetwork", network: aNetwork(Id) });
    for (const one of before) log.write(one);
    const { outcome } = log.write(asked);
    const message = outcome.kind === "refused" ? outcome.message : undefined;
    if (want === undefined) assert.equal(message, undefined);
    else assert.match(message ?? "", want);
  });
}

test("a part has the power of its main service over the host's network, if the policy allows it", () => {
  const log = new TestLog();
  const Policy = { "host-network": ["web"] };
  log.write({ kind: "createCluster", cluster: aCluster() });
  const basedOn = log.store.cluster?.Version.Index ?? 0;
  log.write({ kind: "setPolicy", policy: Policy, basedOn });
  log.write(aService("web", { template: inNet("host") }));
  const { outcome } = log.write(part("a", "web"));
  assert.match(
    outcome.kind === "refused" ? outcome.message : "",
    /does not allow host-network to service a/,
  );
});

function shop(): TestLog {
  const log = new TestLog();
  log.write(
    { kind: "createNetwork", network: aNetwork("front") },
    aService("shop_web", { replicas: 3, template: inNet("front"), spec: { Labels: stack } }),
    part("shop_log", "web", { template: inNet("front") }, { ...stack, "gam.pod.role": "sidecar" }),
    part("shop_prepare", "web", {}, { ...stack, "gam.pod.role": "init" }),
    part("lone", "nothing"),
  );
  return log;
}

test("the parts of a pod are found by the main service's name in the stack", () => {
  const { store } = shop();
  const names = (id: string): string[] => {
    return partsOf(store, id as ServiceId).map(({ Spec }) => Spec.Name);
  };
  assert.deepEqual(names("shop_web"), ["shop_log", "shop_prepare"]);
  assert.deepEqual(names("shop_log"), []);
  const [web, log, , lone] = store.services();
  assert.ok(web !== undefined && log !== undefined && lone !== undefined);
  assert.equal(mainOf(store, log), web);
  assert.equal(mainOf(store, web), undefined);
  assert.equal(mainOf(store, lone), undefined);
  assert.equal(replicasWanted(store, log), 3);
  assert.equal(replicasWanted(store, lone), 0);
  assert.deepEqual(podMates(store, log), [web]);
  assert.equal(podMates(store, web).length, 2);
  assert.match(whyNoPod(store, lone) ?? "", /service nothing, which does not exist$/);
  assert.match(whyNoPod(store, log) ?? "", /service shop_web, which has none$/);
});

test("a part has no addresses of its own, but an init container has", () => {
  const { store } = shop();
  const [web, log, prepare] = store.services();
  assert.ok(web !== undefined && log !== undefined && prepare !== undefined);
  assert.equal(serviceNetworks(web, store).length, 1);
  assert.equal(serviceNetworks(log, store).length, 0);
  const need = (labels: Record<string, string>): number => {
    const extra = { serviceLabels: labels };
    return networkNeed(aTask("x", "t", { template: inNet("front"), extra }), store).networks.length;
  };
  assert.equal(need({}), 1);
  assert.equal(need({ "gam.pod": "web" }), 0);
  assert.equal(need({ "gam.pod": "web", "gam.pod.role": "sidecar" }), 0);
  assert.equal(need({ "gam.pod": "web", "gam.pod.role": "init" }), 1);
});

test("a main task waits until its init containers have completed", () => {
  const log = shop();
  const wish = { slot: 1, node: "n1", state: "ready", desired: "ready" } as const;
  log.write({ kind: "createTask", task: aTask("shop_web", "t1", wish) });
  log.write({ kind: "createTask", task: aTask("shop_web", "t2", wish) });
  const why = (id: string): string | undefined => {
    const task = log.store.task(id as TaskId);
    return task && waitsForInit(log.store, task);
  };
  assert.equal(why("t1"), "waits for init container shop_prepare to complete");
  const extra = { pod: "t1" as TaskId };
  const done = aTask("shop_prepare", "i1", { ...wish, state: "complete", extra });
  log.write({ kind: "createTask", task: done });
  assert.equal(why("t1"), undefined);
  assert.match(why("t2") ?? "", /^waits for init/);
});

test("a change of the pod is a change of the tasks, one of what restarts is not", () => {
  const { spec: plain } = aService("a");
  const { spec: one } = part("a", "web");
  assert.ok(!sameTemplate(plain, one));
  assert.ok(!sameTemplate(one, part("a", "db").spec));
  assert.ok(!sameTemplate(one, part("a", "web", {}, { "gam.pod.role": "init" }).spec));
  assert.ok(sameTemplate(one, part("a", "web", {}, { "gam.pod.restart": "together" }).spec));
});
