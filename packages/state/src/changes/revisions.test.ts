import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { revisionsMax } from "../checks/check-service.ts";
import { readDump } from "../store/dump.ts";
import { Store } from "../store/store.ts";
import { aService, type ServiceWish, TestLog } from "../testing/index.ts";
import { presentRevision, specOfRevision } from "./revisions.ts";

const web = testId("web") as ServiceId;

class History {
  readonly log = new TestLog();

  constructor() {
    this.log.write({ ...aService("web", { image: "app:1", replicas: 2 }), id: web });
  }

  get service() {
    const service = this.log.store.service(web);
    assert.ok(service);
    return service;
  }

  update(wish: ServiceWish | "previous"): void {
    this.log.nowMs += 1000;
    const spec = wish === "previous" ? wish : aService("web", wish).spec;
    const basedOn = this.service.Version.Index;
    const { outcome } = this.log.write({ kind: "updateService", id: web, spec, basedOn });
    assert.equal(outcome.kind, "applied");
  }

  get kept(): string[] {
    return (this.service.Gam.revisions ?? []).map(({ number, spec }) => {
      return `${number} ${spec.TaskTemplate.ContainerSpec.Image}`;
    });
  }
}

test("a service keeps its last specs, by number, and the time of each", () => {
  const history = new History();
  assert.deepEqual(presentRevision(history.service).number, 1);
  for (let n = 2; n <= 14; n += 1) history.update({ image: `app:${n}`, replicas: 2 });
  assert.equal(history.kept.length, revisionsMax);
  assert.deepEqual([history.kept[0], history.kept.at(-1)], ["4 app:4", "13 app:13"]);
  assert.equal(presentRevision(history.service).number, 14);
  assert.equal(presentRevision(history.service).at, new Date(history.log.nowMs).toISOString());
});

test("a service that is only scaled keeps its revision, and returns to another with its replicas", () => {
  const history = new History();
  history.update({ image: "app:2", replicas: 2 });
  history.update({ image: "app:2", replicas: 7 });
  assert.equal(presentRevision(history.service).number, 2);
  const spec = specOfRevision(history.service, 1);
  assert.equal(spec?.TaskTemplate.ContainerSpec.Image, "app:1");
  assert.equal(spec?.Mode.Replicated?.Replicas, 7);
  assert.equal(specOfRevision(history.service, 9), undefined);
});

test("a rollback is a revision of its own, and snapshots have them all", () => {
  const history = new History();
  history.update({ image: "app:2", replicas: 2 });
  history.update("previous");
  assert.deepEqual(history.kept, ["1 app:1", "2 app:2"]);
  assert.equal(presentRevision(history.service).number, 3);
  const store = new Store();
  store.restore(readDump(history.log.store.dump()));
  const restored = store.service(web)?.Gam;
  assert.deepEqual(restored?.revision, history.service.Gam.revision);
  assert.deepEqual(
    restored?.revisions?.map(({ number, at }) => [number, at]),
    history.service.Gam.revisions?.map(({ number, at }) => [number, at]),
  );
});
