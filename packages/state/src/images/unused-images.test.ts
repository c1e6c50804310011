import assert from "node:assert/strict";
import { test } from "node:test";
import { aService, TestLog, withFiles } from "../testing/index.ts";
import { unusedImages } from "./unused-images.ts";

const [idA, idB, idC] = ["a", "b", "c"].map((one) => `sha256:${one.repeat(64)}`) as [
  string,
  string,
  string,
];

test("an image is needed by its id, its tag or its digest, also for a rollback", () => {
  const log = new TestLog();
  const of = (image: string) => ({ template: { ContainerSpec: withFiles(image, {}) } });
  const made = log.write(aService("web", of(`shop:1@${idA}`)));
  assert.ok(made !== undefined);
  log.write(aService("db", of("db")));
  log.write(aService("cache", of(`cache:2@${idC}`)));
  const images = [
    { id: idA, names: [] },
    { id: idB, names: [] },
    { id: "1", names: ["db:latest"] },
    { id: "2", names: [`cache@${idC}`] },
    { id: "3", names: ["mine:1"] },
    { id: "4", names: [`other@${idB}`] },
  ];
  const idsOf = (all: boolean): string[] =>
    unusedImages(images, log.store, { all }).map(({ id }) => id);
  assert.deepEqual(idsOf(false), [idB, "4"]);
  assert.deepEqual(idsOf(true), [idB, "3", "4"]);
  const update = (Image: string): void => {
    const { ID, Spec, Version } =
      log.store.services().find(({ Spec }) => Spec.Name === "web") ?? assert.fail();
    const ContainerSpec = { ...Spec.TaskTemplate.ContainerSpec, Image };
    const spec = { ...Spec, TaskTemplate: { ...Spec.TaskTemplate, ContainerSpec } };
    log.write({ kind: "updateService", id: ID, spec, basedOn: Version.Index });
  };
  update(`shop:1@${idB}`);
  assert.deepEqual(idsOf(false), ["4"]);
  // Also for a rollback to an older revision than the last one.
  update("shop:2");
  update("shop:3");
  assert.deepEqual(idsOf(false), ["4"]);
});
