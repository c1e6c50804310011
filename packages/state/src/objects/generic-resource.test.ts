import assert from "node:assert/strict";
import { test } from "node:test";
import {
  claimResources,
  parseGenericResources,
  resourceEnv,
  withResources,
} from "./generic-resource.ts";
import type { GenericResource } from "./node.ts";

const count = (Kind: string, Value: number): GenericResource => ({
  DiscreteResourceSpec: { Kind, Value },
});
const named = (Kind: string, Value: string): GenericResource => ({
  NamedResourceSpec: { Kind, Value },
});

const texts: readonly (readonly [string, readonly GenericResource[]])[] = [
  ["", []],
  ["SSD=3", [count("SSD", 3)]],
  ["SSD=0", [count("SSD", 0)]],
  [" gpu = UUID1 , gpu=UUID2", [named("gpu", "UUID1"), named("gpu", "UUID2")]],
  ["gpu=a,gpu=a", [named("gpu", "a")]],
  ["SSD=3,gpu=1a", [count("SSD", 3), named("gpu", "1a")]],
];
for (const [text, want] of texts) {
  test(`parseGenericResources() reads "${text}"`, () => {
    assert.deepEqual(parseGenericResources(text), want);
  });
}

const refused: readonly (readonly [string, string])[] = [
  ["gpu", "incorrect term gpu, missing '=' or malformed expression"],
  ["a=b=c", "incorrect term a=b=c, missing '=' or malformed expression"],
  ["a=", "incorrect term a=, missing '=' or malformed expression"],
  ["=1", "incorrect term =1, missing '=' or malformed expression"],
  ["a=-1", "cannot ask for negative resource a"],
  ["a=1,a=2", "mixed discrete and named resources in expression 'a=[1 2]'"],
  ["a=x,a=2", "mixed discrete and named resources in expression 'a=[x 2]'"],
  ["a=99999999999999999999", "too many of resource a: 99999999999999999999"],
];
for (const [text, want] of refused) {
  test(`parseGenericResources() refuses "${text}"`, () => {
    assert.throws(() => parseGenericResources(text), {
      code: "BAD_REQUEST",
      message: `could not parse GenericResource: ${want}`,
    });
  });
}

test("claimResources() counts, or picks free names in the node's order", () => {
  const has = [count("ssd", 3), named("gpu", "a"), named("gpu", "b"), named("gpu", "c")];
  assert.deepEqual(claimResources([["ssd", 2]], has, [count("ssd", 1)]), [count("ssd", 2)]);
  assert.deepEqual(claimResources([["gpu", 2]], has, [named("gpu", "a"), named("x", "b")]), [
    named("gpu", "b"),
    named("gpu", "c"),
  ]);
  assert.deepEqual(claimResources([["ssd", 0]], has, []), []);
  assert.deepEqual(
    claimResources(
      [
        ["gpu", 1],
        ["ssd", 1],
      ],
      has,
      [],
    ),
    [named("gpu", "a"), count("ssd", 1)],
  );
});

test("resourceEnv() is as Swarm's", () => {
  const got = [named("gpu", "UUID1"), count("ssd", 2), named("gpu", "UUID2")];
  assert.deepEqual(resourceEnv(got), ["DOCKER_RESOURCE_GPU=UUID1,UUID2", "DOCKER_RESOURCE_SSD=2"]);
  assert.deepEqual(resourceEnv([]), []);
});

test("withResources() lets an option replace what the engine says of a kind", () => {
  assert.deepEqual(withResources([named("gpu", "a"), count("ssd", 1)], [count("gpu", 2)]), [
    count("ssd", 1),
    count("gpu", 2),
  ]);
});
