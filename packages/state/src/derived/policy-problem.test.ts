/** Which services may have power over their hosts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Change } from "../log/change.ts";
import { allowed, type Policy, type Power, powers } from "../objects/policy.ts";
import { aCluster, aService, type ServiceWish } from "../testing/objects.ts";
import { TestLog } from "../testing/test-log.ts";
import { deniedPowers, policyProblem } from "./policy-problem.ts";
import { sameTemplate } from "./template.ts";

const label = (key: string, value: string): ServiceWish => ({
  spec: { Labels: { [`gam.container.${key}`]: value } },
});
const bind: ServiceWish = {
  template: {
    ContainerSpec: { Image: "x", Mounts: [{ Type: "bind", Source: "/", Target: "/host" }] },
  },
};
const volume = (Options: Record<string, string>, Name = "local"): ServiceWish => {
  const VolumeOptions = { DriverConfig: { Name, Options } };
  const mount = { Type: "volume" as const, Source: "v", Target: "/v", VolumeOptions };
  return { template: { ContainerSpec: { Image: "x", Mounts: [mount] } } };
};
const inHost: ServiceWish = { template: { Networks: [{ Target: "host" }] } };

const needs: readonly (readonly [ServiceWish, Power | undefined])[] = [
  [{}, undefined],
  [label("privileged", "true"), "privileged"],
  [label("security_opt", "systempaths=unconfined"), "privileged"],
  [label("security_opt", "label=disable"), undefined],
  [label("devices", "/dev/snd"), "devices"],
  [label("device_cgroup_rules", "c 1:3 r"), "devices"],
  [label("pid", "host"), "host-namespaces"],
  [label("ipc", "host"), "host-namespaces"],
  [label("ipc", "private"), undefined],
  [label("cgroup_parent", "/x"), "host-namespaces"],
  [label("shm_size", "1g"), undefined],
  [label("gpus", "gpu"), undefined],
  [inHost, "host-network"],
  [bind, "host-paths"],
  [volume({}), undefined],
  [volume({ type: "none", o: "bind", device: "/etc" }), "host-paths"],
  [volume({ type: "none", o: "rbind,ro", device: "/etc" }, ""), "host-paths"],
  [volume({ type: "ext4", device: "/dev/sda" }), "host-paths"],
  [
    volume({ type: "overlay", o: "lowerdir=/etc,upperdir=/a,workdir=/b", device: "x" }),
    "host-paths",
  ],
  [volume({ type: "nfs", o: "addr=10.0.0.1,rw", device: ":/data" }), undefined],
  [volume({ type: "cifs", o: "username=x", device: "//nas/data" }), undefined],
  [volume({ type: "tmpfs", device: "tmpfs" }), undefined],
  [volume({ type: "nfs", o: "bind", device: "/etc" }), "host-paths"],
  [volume({ type: "nfs", o: '{{"bi"}}nd', device: "/etc" }), "host-paths"],
  [volume({ type: '{{"none"}}', device: "/etc" }), "host-paths"],
  [volume({ device: "/x" }, "rexray/ebs"), undefined],
];
const none = Object.fromEntries(powers.map((power) => [power, []])) as Policy;
const all = Object.fromEntries(powers.map((power) => [power, ["*"]])) as Policy;

test("each option needs the power that the docs say", () => {
  for (const [wish, power] of needs) {
    const { spec } = aService("web", wish);
    assert.deepEqual(deniedPowers(none, spec), power === undefined ? [] : [power]);
    assert.deepEqual(deniedPowers(all, spec), []);
  }
});

test("without a policy, services may have what they have in Swarm", () => {
  const free = powers.filter((power) => allowed(undefined, power).includes("*"));
  assert.deepEqual(free, ["host-network", "host-paths"]);
});

test("the message says which command allows it", () => {
  const { spec } = aService("shop_web", label("privileged", "true"));
  const want =
    'the policy does not allow privileged to service shop_web. An operator can run "gam policy allow privileged shop_web" on a manager';
  assert.equal(policyProblem(undefined, spec), want);
  assert.equal(policyProblem({ privileged: ["shop_*"] }, spec), undefined);
  assert.equal(policyProblem({ privileged: ["*_db", "web"] }, spec), want);
});

test("a star stands for any letters, as in a regular expression", () => {
  const letters = fc.stringMatching(/^[ab.*]{0,8}$/);
  const names = fc.stringMatching(/^[ab.]{0,10}$/);
  fc.assert(
    fc.property(letters, names, (pattern, Name) => {
      const { spec } = aService("x", { ...label("pid", "host") });
      const isAllowed =
        deniedPowers({ "host-namespaces": [pattern] }, { ...spec, Name }).length === 0;
      const form = pattern.replaceAll(".", "\\.").replaceAll("*", ".*");
      assert.equal(isAllowed, new RegExp(`^${form}$`).test(Name));
    }),
  );
});

test("the state refuses what the policy does not allow, and a rollback to it", () => {
  const log = new TestLog();
  const refusal = (change: Change): string => {
    const { outcome } = log.write(change);
    return outcome.kind === "refused" ? outcome.message : outcome.kind;
  };
  const set = (policy: Policy): string =>
    refusal({ kind: "setPolicy", policy, basedOn: log.store.cluster?.Version.Index ?? 0 });
  log.write({ kind: "createCluster", cluster: aCluster() });
  const powerful = aService("web", label("privileged", "true"));
  assert.match(refusal(powerful), /does not allow privileged to service web/);
  assert.equal(set({ privileged: ["web"] }), "applied");
  assert.equal(refusal(powerful), "applied");
  const { id } = powerful;
  const update = (spec: typeof powerful.spec): string =>
    refusal({
      kind: "updateService",
      id,
      spec,
      basedOn: log.store.service(id)?.Version.Index ?? 0,
    });
  const plain = aService("web").spec;
  assert.equal(update(plain), "applied");
  assert.equal(set({}), "applied");
  assert.match(update(powerful.spec), /does not allow privileged/);
  const basedOn = log.store.service(id)?.Version.Index ?? 0;
  const back = { kind: "updateService", id, spec: "previous", basedOn } as const;
  assert.match(refusal(back), /does not allow privileged/);
  // A leader that planned it before the policy changed: void.
  refusal({ kind: "rollbackService", id, basedOn, message: "failed" });
  assert.deepEqual(log.store.service(id)?.Spec, plain);
});

test("a changed container label is another template, and another label is not", () => {
  const { spec } = aService("web");
  const labelled = (Labels: Record<string, string>) => ({ ...spec, Labels });
  assert.equal(sameTemplate(spec, labelled({ "gam.container.pid": "host" })), false);
  assert.equal(
    sameTemplate(spec, labelled({ "gam.container.pid": "", "gam.sticky": "client" })),
    true,
  );
});
