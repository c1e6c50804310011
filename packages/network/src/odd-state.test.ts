/**
 * Odd states: nft accepts the text of a plan made from any state, and an object that cannot be planned costs only
 * itself.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId } from "@gam/core";
import type { Network, Node, Service, Task, View } from "@gam/state";
import fc from "fast-check";
import type { NodePlan } from "./plan/node-plan.ts";
import { planNode } from "./plan/plan-node.ts";
import type { DeviceName } from "./plan/safe-values.ts";
import { containerTable } from "./tables/container-table.ts";
import { fastPathTable } from "./tables/fast-path-table.ts";
import { hostTable } from "./tables/host-table.ts";
import { wholeTable } from "./tables/nft-table.ts";
import { wallTable6 } from "./tables/walls.ts";
import { asSafe, evenView, keyOf, type OddRows, oddView, oddViews } from "./testing/index.ts";

const self = "a" as NodeId;

function planOf(view: View): NodePlan {
  const plan = planNode(view, self);
  assert.ok(plan !== undefined);
  return plan;
}

const devices = [1, 2, 3, 4].map((n) => asSafe<DeviceName>(`port${n}`));

/** All nft text made from a plan. */
function textsOf(plan: NodePlan): string[] {
  const places = plan.networks.flatMap(({ id: network, locals }, n) => {
    const [address, device] = [locals[0], devices[n]];
    return address === undefined || device === undefined ? [] : [{ network, address, device }];
  });
  const networks = plan.networks.map(({ id }) => id);
  return [
    hostTable(plan),
    wallTable6(plan),
    containerTable(plan, networks),
    fastPathTable(plan, places),
  ].map((table) => wholeTable(table));
}

/** nft's error for each text, in a namespace of its own that has the devices. */
function refusals(plans: readonly NodePlan[]): string[] {
  const links = plans.flatMap(({ networks }) => networks.map(({ vxlan }) => vxlan as string));
  const lines = [
    ...[...new Set(links), ...devices].map((name) => `ip link add ${name} type veth`),
    ...plans.flatMap(textsOf).map((text) => `nft -c -f - <<'END' 2>&1 || true\n${text}END`),
  ];
  const options = { input: lines.join("\n"), encoding: "utf8", maxBuffer: 1 << 26 } as const;
  const { stdout } = spawnSync("unshare", ["--net", "sh"], options);
  return stdout.split("\n").filter((line) => line !== "");
}

const skip =
  spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status !== 0 && "needs root, nft(8)";

test("nft accepts the text of a normal state, and refuses unsafe text", {
  skip,
}, () => {
  const plan = planOf(evenView());
  assert.deepEqual(refusals([plan]), []);
  const unsafe = asSafe<NodePlan>({ ...plan, neighbours: ["192.0.2.9 }"] });
  assert.notDeepEqual(refusals([unsafe]), []);
});

test("nft accepts the text of any state", { skip }, () => {
  fc.assert(
    fc.property(fc.array(oddViews, { minLength: 10, maxLength: 10 }), (views) => {
      const plans = views.flatMap((view) => planNode(view, view.nodes()[0]?.ID ?? self) ?? []);
      assert.deepEqual(refusals(plans), []);
    }),
    { numRuns: 6 },
  );
});

/** The characters that one word of an ip or bridge line, or an argument of wg or conntrack, may have. */
const word = /^[\w.:/+=-]+$/;

test("every value of any plan is one word", () => {
  fc.assert(
    fc.property(oddViews, (view) => {
      const plan = planNode(view, self);
      if (plan === undefined) return;
      const { underlay, neighbours, walls, tunnels, networks, services, ports } = plan;
      const { members, guests, doors, doors6, ownDoors } = walls;
      const values: readonly (string | number)[] = [
        ...[underlay, plan.vxlanPort, ...neighbours, ...members, ...guests, ...ownDoors],
        ...[...doors, ...doors6].flatMap(({ address, port }) => [address, port]),
        ...(tunnels ? [tunnels.address, tunnels.publicKey, tunnels.mtu] : []),
        ...(tunnels?.peers ?? []).flatMap((one) => [one.publicKey, one.underlay, one.tunnel]),
        ...networks.flatMap(
          ({ vni, bridge, vxlan, subnet, gateway, mtu, vips, locals, remotes, bridges }) => [
            ...[vni, bridge, vxlan, subnet, gateway, mtu, ...vips, ...locals, ...bridges],
            ...remotes.flatMap(({ address, via }) => [address, via]),
          ],
        ),
        ...services.flatMap(({ key, vip, backends }) => [key, vip, ...backends]),
        ...ports.flatMap(({ key, published, target, backends, others }) => [
          ...[key, published, target, ...backends, ...others],
        ]),
      ];
      for (const value of values) {
        assert.match(String(value), word);
        assert.ok(typeof value === "string" || Number.isInteger(value), String(value));
      }
      const keys = (tunnels?.peers ?? []).flatMap((one) => [
        one.publicKey,
        one.tunnel,
        one.underlay,
      ]);
      assert.equal(new Set(keys).size, keys.length, "two WireGuard peers share a value");
      assert.ok(plan.problems.length <= 21 && plan.problems.every((one) => one.length < 400));
    }),
    { numRuns: 500 },
  );
});

interface Spoilt {
  readonly what: string;
  readonly rows: (view: View) => OddRows;
  readonly says: RegExp;
  /** The part of the plan to compare with that of a state without the object. */
  readonly leaves: (plan: NodePlan) => NodePlan;
}

const change = <T>(rows: readonly T[], is: (row: T) => boolean, to: (row: T) => T): T[] =>
  rows.map((row) => (is(row) ? to(row) : row));
const node = (id: string, to: (row: Node) => Node) => (view: View) => ({
  nodes: change(view.nodes(), ({ ID }) => ID === id, to),
});
const network = (id: string, to: (row: Network) => Network) => (view: View) => ({
  networks: change(view.networks(), ({ Id }) => Id === id, to),
});
const said = (row: Node, change: object): Node => ({
  ...row,
  Gam: {
    ...row.Gam,
    network: { ...row.Gam.network, ...change } as Node["Gam"]["network"] & object,
  },
});
const braces = "web{ drop }" as ServiceId;
const withoutService =
  (key: string) =>
  (plan: NodePlan): NodePlan => ({
    ...plan,
    services: plan.services.filter((one) => !one.key.endsWith(key)),
  });
const withoutPeer =
  (id: string) =>
  (plan: NodePlan): NodePlan => {
    const { tunnels } = plan;
    if (tunnels === undefined) return plan;
    return {
      ...plan,
      tunnels: { ...tunnels, peers: tunnels.peers.filter((one) => one.node !== id) },
    };
  };
const tunnelsAlone = (plan: NodePlan): NodePlan => ({
  ...plan,
  networks: plan.networks.map((one) => ({ ...one, remotes: [] })),
  neighbours: [],
});

const spoilt: readonly Spoilt[] = [
  {
    what: "a service whose id has braces",
    rows: (view) => ({
      services: change(
        view.services(),
        ({ ID }) => ID === "web",
        (row): Service => ({ ...row, ID: braces }),
      ),
      tasks: change(
        view.tasks(),
        ({ ServiceID }) => ServiceID === "web",
        (row): Task => ({ ...row, ServiceID: braces }),
      ),
    }),
    says: /id of service "web": found "web\{ drop \}"/,
    leaves: withoutService("xweb"),
  },
  {
    what: "a node whose tunnel key is none",
    rows: node("c", (row) => said(row, { publicKey: "x\npeer" })),
    says: /tunnel key of node "c": found "x\\npeer"/,
    leaves: (plan) => tunnelsAlone(withoutPeer("c")(plan)),
  },
  {
    what: "a node that says another one's tunnel key is its own",
    rows: node("c", (row) => said(row, { publicKey: keyOf("b") })),
    says: /tunnel of node "c": its address or key is that of node "b"/,
    leaves: (plan) => tunnelsAlone(withoutPeer("c")(plan)),
  },
  {
    what: "a node that says this one's tunnel key is its own",
    rows: node("b", (row) => said(row, { publicKey: keyOf("a") })),
    says: /tunnel of node "b": its address or key is that of node "a"/,
    leaves: (plan) => tunnelsAlone(withoutPeer("b")(plan)),
  },
  {
    what: "a network whose number is none",
    rows: network("front", (row) => ({ ...row, Gam: { ...row.Gam, vni: 2 ** 24 } })),
    says: /number of network "front": found "16777216"/,
    leaves: (plan) => ({
      ...plan,
      networks: plan.networks.filter(({ id }) => id !== "front"),
      services: plan.services.filter((one) => one.network !== ("front" as NetworkId)),
    }),
  },
  {
    what: "a network that has another one's number",
    rows: network("front", (row) => ({ ...row, Gam: { ...row.Gam, vni: 4099 }, Created: "2030" })),
    says: /network "front": another network has its number, 4099/,
    leaves: (plan) => ({
      ...plan,
      networks: plan.networks.filter(({ id }) => id !== "front"),
      services: plan.services.filter((one) => one.network !== ("front" as NetworkId)),
    }),
  },
  {
    what: "a data path port that is none",
    rows: (view) => ({ cluster: view.cluster && { ...view.cluster, DataPathPort: Number.NaN } }),
    says: /data path port: found "NaN"/,
    leaves: (plan) => plan,
  },
  {
    what: "a published port that gam needs",
    rows: (view) => ({
      services: change(
        view.services(),
        ({ ID }) => ID === "api",
        (row): Service => ({
          ...row,
          Endpoint: {
            ...row.Endpoint,
            Ports: [{ Protocol: "tcp", PublishedPort: 7946, TargetPort: 80 }],
          },
        }),
      ),
    }),
    says: /port "7946" of service "api": gam itself uses this port/,
    leaves: (plan) => ({
      ...plan,
      ports: plan.ports.filter(({ published }) => published !== 8002),
    }),
  },
  {
    what: "an address outside of its network",
    rows: (view) => ({
      tasks: change(
        view.tasks(),
        ({ ID }) => ID === "t1",
        (row): Task => ({
          ...row,
          Gam: {
            ...row.Gam,
            attachments: row.Gam.attachments.map((one) =>
              one.network === "front" ? { ...one, address: "192.0.2.1" } : one,
            ),
          },
        }),
      ),
    }),
    says: /address of task "t1" in network "front": "192\.0\.2\.1" is not in 10\.2\.0\.0\/16/,
    leaves: (plan) => ({
      ...plan,
      networks: plan.networks.map((one) =>
        one.id === "front"
          ? { ...one, remotes: one.remotes.filter(({ address }) => address !== "10.2.2.3") }
          : one,
      ),
      // The other task of its service gets all, and has no parts any more.
      services: plan.services.map(({ parts, ...one }) => {
        const backends = one.backends.filter((address) => address !== "10.2.2.3");
        return { ...one, backends, ...(backends.length > 1 && parts && { parts }) };
      }),
    }),
  },
];
for (const { what, rows, says, leaves } of spoilt) {
  test(`${what} costs only that object, and is reported`, () => {
    const view = evenView();
    const shape = ({ problems: _, dns: _names, ...plan }: NodePlan): unknown => plan;
    const plan = planOf(oddView(view, rows(view)));
    assert.match(plan.problems.join("\n"), says);
    const kept = leaves(plan);
    assert.deepEqual(shape(kept), shape(leaves(planOf(view))));
    assert.deepEqual(planOf(view).problems, []);
  });
}
