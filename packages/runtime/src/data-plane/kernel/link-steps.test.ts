import assert from "node:assert/strict";
import { test } from "node:test";
import { macOf } from "@gam/state";
import fc from "fast-check";
import type { BridgeState, LinkState, OverlayState } from "./link-state.ts";
import { linkSteps, within, withPorts } from "./link-steps.ts";

const address = fc.integer({ min: 1, max: 6 }).map((n) => `10.0.5.${n}`);
const via = fc.integer({ min: 1, max: 3 }).map((n) => `192.0.2.${n}`);
const mac = address.map(macOf);

function bridges(wanted: boolean): fc.Arbitrary<BridgeState> {
  return fc.record(
    {
      mac,
      mtu: fc.constantFrom(1400, 1450),
      up: wanted ? fc.constant(true) : fc.boolean(),
      filtered: wanted ? fc.constant(true) : fc.boolean(),
      addresses: fc.uniqueArray(address).map((list) => new Set(list.map((one) => `${one}/32`))),
      ports: fc.constant(new Map<string, boolean>()),
    },
    { noNullPrototype: true },
  );
}

function overlays(wanted: boolean): fc.Arbitrary<OverlayState> {
  const truth = wanted ? fc.constant(true) : fc.boolean();
  return fc.record(
    {
      vni: fc.constantFrom(5, 6),
      port: fc.constant(4789),
      local: via,
      sound: truth,
      mtu: fc.constantFrom(1400, 1450),
      up: truth,
      bridge: wanted ? fc.constant("gam-5") : fc.constantFrom("gam-5", "gam-7", ""),
      taught: truth,
      neighbours: fc
        .uniqueArray(fc.tuple(address, wanted ? fc.constant("") : mac), {
          selector: ([one]) => one,
        })
        .map((list) => new Map(list.map(([one, other]) => [one, other || macOf(one)]))),
      routes: fc
        .uniqueArray(
          fc.tuple(mac, fc.uniqueArray(via, { minLength: 1, maxLength: wanted ? 1 : 2 })),
          {
            selector: ([one]) => one,
          },
        )
        .map((list) => new Map(list)),
      pinned: fc.uniqueArray(mac).map((list) => new Set(list)),
    },
    { noNullPrototype: true },
  );
}

function states(wanted: boolean): fc.Arbitrary<LinkState> {
  const overlay = overlays(wanted);
  return fc.record(
    {
      bridges: bridges(wanted).map((bridge) => new Map([["gam-5", bridge]])),
      overlays: fc
        .dictionary(fc.constantFrom("gamx-5", "gamx-6"), overlay, { noNullPrototype: true })
        .map((found) => new Map(Object.entries(found))),
    },
    { noNullPrototype: true },
  );
}

/** A fake kernel that applies the lines to links. An attribute of a missing device fails. */
function after(state: LinkState, lines: readonly string[]): LinkState {
  const bridge = { ...(state.bridges.get("gam-5") as BridgeState) };
  let addresses = new Set(bridge.addresses);
  const found = new Map([...state.overlays].map(([name, overlay]) => [name, copy(overlay)]));
  const of = (name: string) => {
    const overlay = found.get(name);
    assert.ok(overlay !== undefined, `no ${name}`);
    return overlay;
  };
  for (const line of lines) {
    const word = line.split(" ");
    const [topic, verb, first = "", , , , sixth = ""] = word;
    const at = word[word.indexOf("dev") + 1] ?? "";
    if (topic === "addr") {
      if (verb === "del") addresses.delete(first);
      else addresses = new Set([...addresses, first]);
    } else if (topic === "neigh") {
      assert.ok(of(at).up);
      if (verb === "del") assert.ok(of(at).neighbours.delete(first));
      else of(at).neighbours.set(first, word[4] ?? "");
    } else if (topic === "fdb" && word.includes("master")) {
      assert.equal(of(at).bridge, "gam-5");
      if (verb === "del") assert.ok(of(at).pinned.delete(first));
      else of(at).pinned.add(first);
    } else if (topic === "fdb") {
      const sentTo = of(at).routes.get(first) ?? [];
      if (verb === "replace") {
        assert.ok(sentTo.length <= 1, "would replace one of two routes");
        of(at).routes.set(first, [sixth]);
      } else {
        const rest = sentTo.filter((one) => one !== sixth);
        assert.equal(rest.length, sentTo.length - 1);
        if (rest.length === 0) of(at).routes.delete(first);
        else of(at).routes.set(first, rest);
      }
    } else if (verb === "del") {
      assert.ok(found.delete(first));
    } else if (verb === "add") {
      assert.ok(!found.has(first));
      found.set(first, {
        ...{ vni: Number(sixth), port: Number(word[8]), local: word[10] ?? "", sound: true },
        ...{ mtu: 0, up: false, bridge: "", taught: false },
        ...{ neighbours: new Map(), routes: new Map(), pinned: new Set() },
      });
    } else if (first === "gam-5") {
      if (line.includes(" address ")) bridge.mac = word[4] ?? "";
      else if (line.includes(" mtu ")) bridge.mtu = Number(word[4]);
      else if (line.includes("nf_call")) bridge.filtered = true;
      else bridge.up = true;
    } else if (line.includes(" mtu ")) of(first).mtu = Number(word[4]);
    else if (line.includes(" master ")) {
      of(first).bridge = word[4] ?? "";
      of(first).pinned.clear();
    } else if (line.includes("learning")) of(first).taught = true;
    else if (line.endsWith(" up")) of(first).up = true;
    else assert.ok(line.includes("addrgenmode"), line);
  }
  return { bridges: new Map([["gam-5", { ...bridge, addresses }]]), overlays: found };
}

interface Open {
  vni: number;
  port: number;
  local: string;
  sound: boolean;
  mtu: number;
  up: boolean;
  bridge: string;
  taught: boolean;
  neighbours: Map<string, string>;
  routes: Map<string, readonly string[]>;
  pinned: Set<string>;
}

/** A device that is down has no neighbours, and a bridge sends only to its own ports. */
function copy(overlay: OverlayState): Open {
  const neighbours = new Map(overlay.up ? overlay.neighbours : []);
  const pinned = new Set(overlay.bridge === "" ? [] : overlay.pinned);
  return { ...overlay, neighbours, routes: new Map(overlay.routes), pinned };
}

test("the steps turn one state of links into another, after which there are none", () => {
  fc.assert(
    fc.property(states(false), states(true), (have, want) => {
      const real = after(have, []);
      const lines = linkSteps(real, want).map(({ line }) => line);
      const made = after(real, lines);
      assert.deepEqual(made, want);
      assert.deepEqual(linkSteps(made, want), []);
    }),
    { numRuns: 500 },
  );
});

test("a missing bridge has no steps yet, nor have the devices that need it", () => {
  const none: LinkState = { bridges: new Map(), overlays: new Map() };
  fc.assert(
    fc.property(states(true), (want) => {
      assert.deepEqual(linkSteps(none, within(want, none)), []);
    }),
  );
});

test("ports of containers get hairpin mode, though the plan does not list them", () => {
  const bridge = { mac: "", mtu: 1450, up: true, filtered: true, addresses: new Set<string>() };
  const with_ = (ports: readonly (readonly [string, boolean])[]): LinkState => {
    return {
      bridges: new Map([["gam-5", { ...bridge, ports: new Map(ports) }]]),
      overlays: new Map(),
    };
  };
  const have = with_([
    ["veth1", true],
    ["veth2", false],
  ]);
  const want = withPorts(with_([]), have);
  const lines = linkSteps(have, want).map(({ line }) => line);
  assert.deepEqual(lines, ["link set dev veth2 hairpin on"]);
  assert.deepEqual(linkSteps(have, with_([["veth1", true]])), []);
});
