import assert from "node:assert/strict";
import { test } from "node:test";
import { aNode } from "../testing/index.ts";
import { engineTooOld } from "./engine-need.ts";
import type { ContainerSpec, Mount } from "./service.ts";

const mounted = (mount: Mount): Partial<ContainerSpec> => ({ Mounts: [{ Type: "tmpfs" }, mount] });
const needs: readonly (readonly [version: string, spec: Partial<ContainerSpec>])[] = [
  ["25.0", { Healthcheck: { StartInterval: 1e9 } }],
  ["28.0", mounted({ Type: "image" })],
  ["23.0", mounted({ Type: "bind", BindOptions: { CreateMountpoint: true } })],
  ["25.0", mounted({ Type: "bind", BindOptions: { ReadOnlyNonRecursive: true } })],
  ["25.0", mounted({ Type: "bind", BindOptions: { ReadOnlyForceRecursive: true } })],
  ["26.0", mounted({ Type: "volume", VolumeOptions: { Subpath: "a" } })],
  ["27.0", mounted({ Type: "tmpfs", TmpfsOptions: { Options: [["exec"]] } })],
];

function problem(engine: string, spec: Partial<ContainerSpec>): string | undefined {
  const node = { ...aNode("node1"), Version: { Index: 1 }, CreatedAt: "", UpdatedAt: "" };
  const Engine = { ...node.Description.Engine, EngineVersion: engine };
  const Description = { ...node.Description, Engine };
  return engineTooOld({ ContainerSpec: { Image: "tiny:1", ...spec } }, { ...node, Description });
}

for (const [version, spec] of needs) {
  test(`an engine older than ${version} is too old for ${JSON.stringify(spec)}`, () => {
    const wanted = new RegExp(
      `^TaskTemplate\\.ContainerSpec\\..* needs Docker Engine ${version} or newer$`,
    );
    assert.match(problem("20.10.24+dfsg1", spec) ?? "", wanted);
    assert.match(problem(`${Number(version) - 1}.9`, spec) ?? "", wanted);
    assert.equal(problem(`${version}.1`, spec), undefined);
    assert.equal(problem("dev", spec), undefined);
  });
}

test("every engine knows the other fields", () => {
  const Mounts: Mount[] = [{ Type: "bind", BindOptions: { Propagation: "rslave" } }];
  assert.equal(problem("20.10.0", { Mounts, Healthcheck: { Interval: 1 } }), undefined);
});
