import assert from "node:assert/strict";
import { test } from "node:test";
import { heldIds, heldImages, type PinFacts, pinnedImage } from "./image-pin.ts";

const [idA, idB, registry] = ["a", "b", "c"].map((one) => `sha256:${one.repeat(64)}`) as [
  string,
  string,
  string,
];
const built = { id: idA, names: ["shop:1"] };
const rebuilt = { id: idB, names: ["shop:1"] };
const pulled = { id: idA, names: ["shop:1", `shop@${registry}`, `copy@${idB}`] };
const nothing: PinFacts = { own: undefined, others: [], current: undefined };

const cases: { name: string; image?: string; facts: Partial<PinFacts>; want: string }[] = [
  { name: "nobody has it", facts: {}, want: "shop:1" },
  { name: "a digest stays", image: `shop:1@${idB}`, facts: { own: built }, want: `shop:1@${idB}` },
  { name: "built on the asked host", facts: { own: built }, want: `shop:1@${idA}` },
  { name: "pulled from a registry", facts: { own: pulled }, want: `shop:1@${registry}` },
  { name: "built on another host", facts: { others: [built] }, want: `shop:1@${idA}` },
  {
    name: "the asked host comes first",
    facts: { own: rebuilt, others: [built] },
    want: `shop:1@${idB}`,
  },
  { name: "others agree", facts: { others: [built, built] }, want: `shop:1@${idA}` },
  { name: "others disagree", facts: { others: [built, rebuilt] }, want: "shop:1" },
  {
    name: "others disagree, and one has the current image",
    facts: { others: [built, rebuilt], current: `shop:1@${idA}` },
    want: `shop:1@${idA}`,
  },
  {
    name: "nobody has the tag any more",
    facts: { current: `shop:1@${idA}` },
    want: `shop:1@${idA}`,
  },
  {
    name: "another tag does not keep the pin",
    facts: { current: `shop:2@${idA}` },
    want: "shop:1",
  },
  { name: "unchanged", facts: { own: built, current: `shop:1@${idA}` }, want: `shop:1@${idA}` },
  { name: "rebuilt", facts: { own: rebuilt, current: `shop:1@${idA}` }, want: `shop:1@${idB}` },
  {
    name: "rebuilt on another host",
    facts: { others: [rebuilt], current: `shop:1@${idA}` },
    want: `shop:1@${idB}`,
  },
  {
    name: "pinned to the id, and pushed since",
    facts: { own: pulled, current: `shop:1@${idA}` },
    want: `shop:1@${idA}`,
  },
  {
    name: "no tag is latest",
    image: "shop",
    facts: { others: [{ id: idA, names: ["shop:latest"] }] },
    want: `shop@${idA}`,
  },
  {
    name: "a port is no tag",
    image: "host:5000/shop",
    facts: { others: [{ id: idA, names: ["host:5000/shop:latest"] }] },
    want: `host:5000/shop@${idA}`,
  },
];

test("a tag is pinned to what hosts have", () => {
  for (const { name, image = "shop:1", facts, want } of cases) {
    assert.equal(pinnedImage(image, { ...nothing, ...facts }), want, name);
    const again = { ...nothing, ...facts, current: want };
    assert.equal(pinnedImage(image, again), want, `${name}, a second time`);
  }
});

test("names belong to the id before them", () => {
  assert.deepEqual(heldImages(["stray:1", idA, "shop:1", "shop:2", idB]), [
    { id: idA, names: ["shop:1", "shop:2"] },
    { id: idB, names: [] },
  ]);
});

test("heldIds() finds each id by the names that other hosts have for it", () => {
  const held = heldImages([idA, "shop:1", idB, "db:latest", idA, "shop:1"]);
  assert.deepEqual(heldIds("shop:1", held), [idA]);
  assert.deepEqual(heldIds("db", held), [idB]);
  assert.deepEqual(heldIds("shop", held), []);
});
