import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigId, SecretId, ServiceId, TaskId } from "@gam/core";
import type { Outcome } from "../log/change.ts";
import type { Service, ServiceSpec } from "../objects/service.ts";
import {
  aCluster,
  aConfig,
  aSeal,
  aSecret,
  aService,
  aTask,
  TestLog,
  withFiles,
} from "../testing/index.ts";

const pw = "pw" as SecretId;

class Cluster {
  readonly log = new TestLog();

  constructor() {
    this.log.write({ kind: "createCluster", cluster: aCluster() }, aSecret("pw"), aConfig("conf"));
    this.serve("web", { secrets: ["pw"] });
    this.serve("api", { secrets: ["pw"], configs: ["conf"] });
    this.serve("alone", {});
  }

  serve(
    name: string,
    files: Parameters<typeof withFiles>[1],
    spec: Partial<ServiceSpec> = {},
  ): void {
    this.log.write(
      aService(name, { template: { ContainerSpec: withFiles("app:1", files) }, spec }),
    );
  }

  service(name: string): Service {
    const service = this.log.store.service(name as ServiceId);
    assert.ok(service);
    return service;
  }

  /** The current version of the secret. */
  get current(): number | undefined {
    return this.log.store.secret(pw)?.Gam.current;
  }

  change(version: number): Outcome {
    const basedOn = this.log.store.secret(pw)?.Version.Index ?? 0;
    const content = { version, ...aSeal(`pw${version}`) };
    return this.log.write({ kind: "updateSecret", id: pw, labels: {}, content, basedOn }).outcome;
  }

  changeConfig(version: number): void {
    const id = "conf" as ConfigId;
    const basedOn = this.log.store.config(id)?.Version.Index ?? 0;
    const content = { version, data: new TextEncoder().encode(`v${version}`) };
    this.log.write({ kind: "updateConfig", id, labels: {}, content, basedOn });
  }

  /** `files`: absent, as they are. */
  update(name: string, image = "app:1", files?: Parameters<typeof withFiles>[1]): void {
    const { ID: id, Spec, Version } = this.service(name);
    const before = { ...Spec.TaskTemplate.ContainerSpec, Image: image };
    const ContainerSpec = files === undefined ? before : withFiles(image, files);
    const next = { ...Spec, TaskTemplate: { ...Spec.TaskTemplate, ContainerSpec } };
    this.log.write({ kind: "updateService", id, spec: next, basedOn: Version.Index });
  }

  /** The update of a service has ended, or has come that far. */
  progress(name: string, State: "updating" | "completed" | "paused" | "rollback_completed"): void {
    const { ID: id, Version } = this.service(name);
    const status = { State, StartedAt: "2026-01-01T00:00:00Z", Message: "" } as const;
    const basedOn = Version.Index;
    this.log.write({ kind: "progressUpdate", id, basedOn, status, waveAtMs: 0, updated: ["1"] });
  }

  fail(name: string): void {
    const { ID: id, Version } = this.service(name);
    this.log.write({ kind: "rollbackService", id, basedOn: Version.Index, message: "it failed" });
  }

  goBack(name: string): Outcome {
    const { ID: id, Version } = this.service(name);
    const change = { kind: "updateService", id, spec: "previous", basedOn: Version.Index } as const;
    return this.log.write(change).outcome;
  }
}

test("new content is an update of all services that use the secret, and of no other", () => {
  const cluster = new Cluster();
  cluster.progress("web", "completed");
  const before = cluster.service("alone");
  assert.equal(cluster.change(2).kind, "applied");
  const { index } = cluster.log.store;
  for (const name of ["web", "api"]) {
    const { Gam, Version, UpdateStatus, Spec, PreviousSpec } = cluster.service(name);
    assert.deepEqual([Gam.templateVersion, Version.Index, UpdateStatus], [index, index, undefined]);
    assert.deepEqual([Gam.earlier, Gam.updated], [{ pw: 1 }, []]);
    assert.deepEqual(PreviousSpec, Spec);
  }
  assert.equal(cluster.service("alone"), before);
});

test("other labels alone touch no service", () => {
  const cluster = new Cluster();
  const [web, basedOn] = [cluster.service("web"), cluster.log.store.secret(pw)?.Version.Index ?? 0];
  cluster.log.write({ kind: "updateSecret", id: pw, labels: { a: "b" }, basedOn });
  assert.deepEqual(cluster.log.store.secret(pw)?.Spec.Labels, { a: "b" });
  assert.equal(cluster.service("web"), web);
});

test("a job is left alone: its next run has the new content", () => {
  const cluster = new Cluster();
  cluster.serve("job", { secrets: ["pw"] }, { Mode: { ReplicatedJob: { MaxConcurrent: 1 } } });
  const before = cluster.service("job");
  cluster.change(2);
  assert.equal(cluster.service("job"), before);
});

test("a failed roll takes the secret and all its services back", () => {
  const cluster = new Cluster();
  cluster.change(2);
  for (const name of ["web", "api"]) cluster.progress(name, "updating");
  cluster.fail("web");
  assert.equal(cluster.current, 1);
  for (const name of ["web", "api"]) {
    const { UpdateStatus, Gam } = cluster.service(name);
    assert.equal(UpdateStatus?.State, "rollback_started", name);
    assert.equal(UpdateStatus?.Message, "it failed");
    assert.deepEqual([Gam.earlier, Gam.templateVersion], [{}, cluster.log.store.index]);
  }
  assert.equal(cluster.change(2).kind, "refused", "a version is used once");
  assert.equal(cluster.change(3).kind, "applied");
});

test("a stack file with another secret and the same services still goes back", () => {
  const cluster = new Cluster();
  cluster.change(2);
  cluster.changeConfig(2);
  for (const name of ["web", "api"]) cluster.update(name);
  cluster.progress("api", "updating");
  assert.deepEqual(cluster.service("api").Gam.earlier, { pw: 1, conf: 1 });
  cluster.fail("api");
  assert.equal(cluster.current, 1);
  assert.equal(cluster.log.store.config("conf" as ConfigId)?.Gam.current, 1);
  assert.equal(cluster.service("web").UpdateStatus?.State, "rollback_started");
});

test("a stack file with another secret and another image goes back as a whole", () => {
  const cluster = new Cluster();
  cluster.change(2);
  cluster.update("web", "app:2");
  cluster.progress("web", "updating");
  cluster.fail("web");
  assert.equal(cluster.service("web").Spec.TaskTemplate.ContainerSpec.Image, "app:1");
  assert.equal(cluster.current, 1);
});

test("a stack file with another secret, and a service that needs it no more, goes back as a whole", () => {
  const cluster = new Cluster();
  cluster.change(2);
  cluster.update("web", "app:2", {});
  cluster.progress("web", "updating");
  cluster.fail("web");
  const { Image, Secrets } = cluster.service("web").Spec.TaskTemplate.ContainerSpec;
  assert.deepEqual([Image, Secrets?.length], ["app:1", 1]);
  assert.equal(cluster.current, 1);
  assert.equal(cluster.service("api").UpdateStatus?.State, "rollback_started");
});

test("a service that needs the secret no more does not hold a content for ever", () => {
  const cluster = new Cluster();
  cluster.change(2);
  cluster.update("web", "app:2", {});
  cluster.progress("web", "completed");
  assert.deepEqual(cluster.service("web").Gam.earlier, { pw: 1 });
  cluster.change(3);
  assert.deepEqual(cluster.service("web").Gam.earlier, {});
  cluster.goBack("web");
  assert.equal(cluster.current, 3);
});

test("new content during an update goes back to what was before the update", () => {
  const cluster = new Cluster();
  cluster.update("web", "app:2");
  cluster.progress("web", "updating");
  cluster.change(2);
  cluster.change(3);
  cluster.progress("web", "updating");
  cluster.fail("web");
  assert.equal(cluster.service("web").Spec.TaskTemplate.ContainerSpec.Image, "app:1");
  assert.equal(cluster.current, 1);
});

test("after a roll that has ended, a failed update of the service leaves the secret alone", () => {
  const cluster = new Cluster();
  cluster.change(2);
  for (const name of ["web", "api"]) cluster.progress(name, "completed");
  cluster.update("web", "app:2");
  cluster.progress("web", "updating");
  cluster.fail("web");
  assert.equal(cluster.current, 2);
  assert.equal(cluster.service("api").UpdateStatus?.State, "completed");
});

test("a client's rollbacks alternate between two contents", () => {
  const cluster = new Cluster();
  cluster.change(2);
  for (const name of ["web", "api"]) cluster.progress(name, "completed");
  for (const want of [1, 2, 1]) {
    assert.equal(cluster.goBack("web").kind, "applied");
    assert.equal(cluster.current, want);
    for (const name of ["web", "api"]) {
      const { UpdateStatus } = cluster.service(name);
      assert.equal(UpdateStatus?.Message, "manually requested rollback", `${name} at ${want}`);
    }
    cluster.progress("web", "rollback_completed");
  }
});

test("a spec is refused whose secret or config does not exist, or has another name", () => {
  const cluster = new Cluster();
  const refused = (name: string, files: Parameters<typeof withFiles>[1]): string => {
    const ContainerSpec = withFiles("app:1", files);
    const { outcome } = cluster.log.write(aService(name, { template: { ContainerSpec } }));
    return outcome.kind === "refused" ? outcome.message : outcome.kind;
  };
  assert.equal(refused("one", { secrets: ["pw", "no"] }), "secret not found: no");
  assert.equal(refused("two", { secrets: ["no", "none"] }), "secrets not found: no, none");
  assert.equal(refused("three", { configs: ["no"] }), "config not found: no");
  const File = { Name: "f", UID: "0", GID: "0", Mode: 292 };
  const Secrets = [{ File, SecretID: pw, SecretName: "other" }];
  const template = { ContainerSpec: { Image: "app:1", Secrets } };
  const { outcome } = cluster.log.write(aService("four", { template }));
  assert.equal(outcome.kind === "refused" && outcome.message, "secret not found: other");
});

test("a secret in use is not removed, and its users are named", () => {
  const cluster = new Cluster();
  const remove = (): Outcome => cluster.log.write({ kind: "removeSecret", id: pw }).outcome;
  const message = "secret 'pw' is in use by the following services: web, api";
  assert.deepEqual(remove(), { kind: "refused", code: "BAD_REQUEST", message });
  cluster.log.write({ kind: "removeService", id: "web" as ServiceId });
  const one = "secret 'pw' is in use by the following service: api";
  assert.deepEqual(remove(), { kind: "refused", code: "BAD_REQUEST", message: one });
  cluster.log.write({ kind: "removeService", id: "api" as ServiceId });
  assert.equal(remove().kind, "applied");
});

test("a service does not go back to a spec whose secret is gone", () => {
  const cluster = new Cluster();
  const spec = { TaskTemplate: { ContainerSpec: withFiles("app:2", {}) } };
  for (const id of ["web", "api"].map((name) => cluster.service(name).ID)) {
    const { Spec, Version } = cluster.service(id);
    const change = { kind: "updateService", id, spec: { ...Spec, ...spec } } as const;
    cluster.log.write({ ...change, basedOn: Version.Index });
  }
  cluster.log.write({ kind: "removeSecret", id: pw });
  const answer = cluster.goBack("web");
  assert.equal(answer.kind === "refused" && answer.message, "secret not found: pw");
  const before = cluster.service("web");
  cluster.fail("web");
  assert.equal(cluster.service("web"), before);
});

test("a task whose content is gone is not made", () => {
  const cluster = new Cluster();
  const make = (id: string, version: number): boolean => {
    const task = aTask("web", id, { slot: 1, extra: { contents: { pw: version } } });
    cluster.log.write({ kind: "createTask", task });
    return cluster.log.store.task(id as TaskId) !== undefined;
  };
  assert.equal(make("t1", 1), true);
  assert.equal(make("t2", 2), false);
});
