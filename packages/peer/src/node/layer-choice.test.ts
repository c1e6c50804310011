import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import { chooseLayers, type LayerTransfer, openingOrder } from "./layer-choice.ts";

const layers = ["a", "b", "c", "d", "e", "f"];
const peers = ["host1", "host2", "host3", "host4"] as NodeId[];
const limits = { transfersMax: 3, fromPeerMax: 2 };

test("rare layers come first, from the peer with the fewest others", () => {
  const [one, two] = peers as [NodeId, NodeId];
  const round = {
    self: "host3" as NodeId,
    lacking: ["a", "b"],
    sources: [
      { peer: one, has: new Set(["a", "b", "c"]) },
      { peer: two, has: new Set(["b"]) },
    ],
    underWay: [],
    ...limits,
  };
  const chosen = chooseLayers(round);
  assert.deepEqual(chosen, [
    { layer: "a", from: one },
    { layer: "b", from: two },
  ]);
  assert.deepEqual(
    chooseLayers({ ...round, underWay: [...chosen, { layer: "c", from: one }] }),
    [],
  );
  assert.deepEqual(chooseLayers({ ...round, sources: [] }), []);
});

test("hosts that begin at one source begin with different layers", () => {
  const sources = [{ peer: "source" as NodeId, has: new Set(layers) }];
  const firsts = Array.from({ length: 12 }, (_, at) => {
    const self = `host${at}` as NodeId;
    return chooseLayers({ self, lacking: layers, sources, underWay: [], ...limits })[0]?.layer;
  });
  assert.ok(new Set(firsts).size >= 4, firsts.join(" "));
});

test("each choice is lacking, held by its peer, and within the limits", () => {
  const some = fc.uniqueArray(fc.constantFrom(...layers));
  fc.assert(
    fc.property(some, fc.array(some, { maxLength: 4 }), some, (lacking, held, going) => {
      const sources = held.map((has, at) => ({ peer: peers[at] as NodeId, has: new Set(has) }));
      const underWay: LayerTransfer[] = going
        .slice(0, 2)
        .map((layer) => ({ layer, from: "host1" as NodeId }));
      const wanted = lacking.filter((layer) => !going.includes(layer));
      const chosen = chooseLayers({
        self: "host9" as NodeId,
        lacking: wanted,
        sources,
        underWay,
        ...limits,
      });
      const all = [...underWay, ...chosen];
      assert.ok(all.length <= limits.transfersMax);
      assert.equal(new Set(chosen.map(({ layer }) => layer)).size, chosen.length);
      for (const { layer, from } of chosen) {
        assert.ok(wanted.includes(layer));
        assert.ok(sources.find(({ peer }) => peer === from)?.has.has(layer));
        assert.ok(all.filter((one) => one.from === from).length <= limits.fromPeerMax);
      }
      const isPossible = sources.some(({ peer, has }) => {
        const load = underWay.filter(({ from }) => from === peer).length;
        return load < limits.fromPeerMax && wanted.some((layer) => has.has(layer));
      });
      assert.equal(chosen.length > 0, isPossible, "something is chosen whenever something can be");
    }),
  );
});

test("all hosts open an image at the same holder, and different images at different ones", () => {
  const orders = Array.from({ length: 20 }, (_, at) => openingOrder(`image${at}`, peers));
  for (const [at, order] of orders.entries()) {
    assert.deepEqual(openingOrder(`image${at}`, [...peers].reverse()), order);
    assert.deepEqual([...order].sort(), peers);
  }
  assert.ok(new Set(orders.map(([first]) => first)).size > 2);
});
