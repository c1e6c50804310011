/** The laws of allocation, on generated histories in which most steps make sense. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import { type Change, isAttached, isTerminal, type TaskState, type View } from "@gam/state";
import { aCluster, aNetwork, aNode, aService, aTask, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { spanOf } from "../plan/subnet.ts";
import { Allocator, type AllocatorFaults, planAllocation } from "./allocator.ts";

const networks = ["ingress", "front", "back", "tiny"];
const services = ["web", "api", "jobs"];
const nodes = ["a", "b", "c"];
const tasks = Array.from({ length: 12 }, (_, n) => `t${n}`);
const at = "2026-01-01T00:00:00.000Z";
const status = (State: TaskState) => ({ Timestamp: at, State });

const one = (...names: readonly string[]) => fc.constantFrom(...names);
const networkSets = fc.subarray(["front", "back", "tiny"]);
const steps = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("network"), name: one(...networks) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("removeNetwork"), name: one(...networks) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("service"),
      name: one(...services),
      networks: networkSets,
      mode: fc.constantFrom<("vip" | "dnsrr")[]>("vip", "vip", "dnsrr"),
      ports: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("removeService"), name: one(...services) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("task"), name: one(...tasks), of: one(...services) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("assign"), name: one(...tasks), node: one(...nodes) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("report"),
      name: one(...tasks),
      state: fc.constantFrom<TaskState>("running", "complete", "failed", "orphaned"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unwant"), name: one(...tasks) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("removeTask"), name: one(...tasks) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("join"), name: one(...nodes) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("removeNode"), name: one(...nodes) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("judge"),
      name: one(...nodes),
      state: fc.constantFrom<("down" | "ready")[]>("down", "ready"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("attach"),
      name: one("front", "tiny"),
      node: one(...nodes),
      wish: fc.option(fc.integer({ min: 2, max: 6 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("detach"), name: one("front", "tiny") }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("plan"), changesMax: fc.integer({ min: 1, max: 5 }) }),
  },
);
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

class History {
  readonly log = new TestLog();
  readonly allocator: Allocator;
  #made = 0;

  constructor(faults?: AllocatorFaults) {
    this.allocator = new Allocator(faults);
    this.write({ kind: "createCluster", cluster: aCluster({ DefaultAddrPool: ["10.0.0.0/18"] }) });
    for (const name of nodes) this.take({ do: "join", name });
  }

  get view(): View {
    return this.log.store;
  }

  write(...changes: readonly Change[]): void {
    for (const event of this.log.write(...changes).events) this.allocator.notice(event);
  }

  /** Plans until there is nothing to do, and checks that a new leader finds nothing either. */
  settle(): void {
    for (let round = 0; round < 20; round += 1) {
      const changes = this.plan(2000);
      lawful(this.view);
      if (changes > 0) continue;
      assert.deepEqual(planAllocation(this.view, { nowMs: this.log.nowMs }), []);
      return;
    }
    assert.fail("planning does not come to rest");
  }

  plan(changesMax: number): number {
    const changes = this.allocator.plan(this.view, { nowMs: this.log.nowMs, changesMax });
    this.write(...changes);
    return changes.length;
  }

  take(step: Step): void {
    switch (step.do) {
      case "network": {
        const { name } = step;
        if (this.view.network(name as NetworkId) !== undefined) return;
        const Config = name === "tiny" ? [{ Subnet: "10.200.0.0/29" }] : [];
        const IPAM = { Driver: "default", Options: null, Config };
        const extra = { Attachable: name !== "ingress", Ingress: name === "ingress", IPAM };
        return this.write({ kind: "createNetwork", network: aNetwork(name, extra) });
      }
      case "removeNetwork":
        return this.write({ kind: "removeNetwork", id: step.name as NetworkId });
      case "service":
        return this.#serve(step);
      case "removeService":
        return this.write({ kind: "removeService", id: step.name as ServiceId });
      case "task": {
        const { name, of } = step;
        const service = this.view.service(of as ServiceId);
        if (service === undefined) return;
        const { TaskTemplate, EndpointSpec: endpoint = {} } = service.Spec;
        const task = aTask(of, name, { template: TaskTemplate, extra: { endpoint } });
        return this.write({ kind: "createTask", task });
      }
      case "assign": {
        const task = this.view.task(step.name as TaskId);
        const node = step.node as NodeId;
        if (task === undefined || !isAttached(task, this.view)) return;
        // Like the leader: only when there is nothing else to plan.
        this.settle();
        const placed = {
          kind: "assignTask" as const,
          id: task.ID,
          node,
          status: status("assigned"),
        };
        return this.write(
          ...this.allocator.withBridges(this.view, [placed], { nowMs: this.log.nowMs }),
        );
      }
      case "report": {
        const { name, state } = step;
        if (this.view.task(name as TaskId)?.NodeID === undefined) return;
        return this.write({ kind: "reportTask", id: name as TaskId, status: status(state) });
      }
      case "unwant":
        return this.write({ kind: "desireTask", id: step.name as TaskId, desired: "shutdown" });
      case "removeTask":
        return this.write({ kind: "removeTask", id: step.name as TaskId });
      case "join": {
        const name = step.name;
        if (this.view.node(name as NodeId) !== undefined) return;
        return this.write({ kind: "joinNode", node: aNode(name, { address: name }) });
      }
      case "removeNode":
        return this.write({ kind: "removeNode", id: step.name as NodeId });
      case "judge": {
        const { name, state: State } = step;
        return this.write({ kind: "judgeNode", id: name as NodeId, status: { State } });
      }
      case "attach": {
        const { name, node, wish } = step;
        this.#made += 1;
        const key = `k${this.#made}`;
        const network = name as NetworkId;
        return this.write({
          kind: "attachContainer",
          network,
          key,
          node: node as NodeId,
          name: key,
          ...(wish !== null && { wish: `10.200.0.${wish}` }),
        });
      }
      case "detach": {
        const network = step.name as NetworkId;
        const [key] = Object.keys(this.view.network(network)?.Gam.attachments ?? {});
        return key === undefined
          ? undefined
          : this.write({ kind: "detachContainer", network, key });
      }
      default:
        this.plan(step.changesMax);
    }
  }

  #serve({ name, networks: targets, mode, ports }: Extract<Step, { networks: unknown }>): void {
    const Networks = targets.map((Target) => ({ Target }));
    const Ports = ports && mode === "vip" ? [{ TargetPort: 80 }] : [];
    const made = aService(name, { template: { Networks }, endpoint: { Mode: mode, Ports } });
    const known = this.view.service(name as ServiceId);
    if (known === undefined) return this.write(made);
    this.write({
      ...made,
      kind: "updateService",
      basedOn: known.Version.Index,
    });
  }

  /** Everything is removed, in the way of the orchestrator. */
  end(): void {
    for (const { ID } of this.view.services()) this.write({ kind: "removeService", id: ID });
    for (const { ID } of this.view.tasks()) this.write({ kind: "removeTask", id: ID });
    for (const { Id: network, Gam } of this.view.networks()) {
      for (const key of Object.keys(Gam.attachments)) {
        this.write({ kind: "detachContainer", network, key });
      }
    }
    this.settle();
  }
}

/** Counted here and not by the address book, which is under test. */
function lawful(view: View): void {
  const holders = new Map<string, string>();
  const hold = (network: string, address: string | undefined, holder: string): void => {
    if (!address) return;
    const place = `${address.split("/")[0]} of ${network}`;
    const other = holders.get(place);
    assert.equal(other, undefined, `${place} is held by ${other} and by ${holder}`);
    holders.set(place, holder);
  };
  for (const { Id, Gam } of view.networks()) {
    for (const [node, address] of Object.entries(Gam.gateways)) hold(Id, address, `node ${node}`);
    for (const [key, { address, wish = address }] of Object.entries(Gam.attachments)) {
      hold(Id, address, key);
      assert.ok(address === "" || address === wish, `${key} wants ${wish} and has ${address}`);
    }
  }
  for (const { ID, Endpoint } of view.services()) {
    for (const { NetworkID, Addr } of Endpoint.VirtualIPs ?? []) hold(NetworkID, Addr, ID);
  }
  for (const { ID, Status, Gam } of view.tasks()) {
    if (isTerminal(Status.State)) continue;
    for (const { network, address } of Gam.attachments) hold(network, address, ID);
  }
  const made = view.networks().filter(({ Gam }) => Gam.vni !== 0);
  assert.equal(new Set(made.map(({ Gam }) => Gam.vni)).size, made.length, "a VNI is held twice");
  for (const [index, { IPAM }] of made.entries()) {
    for (const other of made.slice(index + 1)) {
      const [span, another] = [IPAM, other.IPAM].map(({ Config }) =>
        spanOf(Config[0]?.Subnet ?? ""),
      );
      assert.ok(span && another && (span.last < another.first || another.last < span.first));
    }
  }
}

function live(history: History, taken: readonly Step[]): void {
  for (const step of taken) {
    history.take(step);
    lawful(history.view);
  }
  history.settle();
}

const histories = fc.array(steps, { maxLength: 120, size: "max" });

test("no address, VNI or range is ever held twice, and an old index plans like a new one", () => {
  fc.assert(
    fc.property(histories, (taken) => live(new History(), taken)),
    { numRuns: 400 },
  );
});

test("a waiting task has all its addresses, or a reason", () => {
  fc.assert(
    fc.property(histories, (taken) => {
      const history = new History();
      live(history, taken);
      const idle = history.view
        .tasksWaiting()
        .find((task) => !isAttached(task, history.view) && !task.Status.Err);
      assert.equal(idle, undefined);
    }),
    { numRuns: 100 },
  );
});

test("when everything has been removed, nothing is held", () => {
  fc.assert(
    fc.property(histories, (taken) => {
      const history = new History();
      live(history, taken);
      history.end();
      const held = history.view.networks().map(({ Gam }) => Object.keys(Gam.gateways));
      assert.deepEqual(held.flat(), []);
      // The small network has all its addresses again for the next tasks.
      history.take({ do: "network", name: "tiny" });
      history.write(aService("last", { template: { Networks: [{ Target: "tiny" }] } }));
      history.settle();
      assert.ok(history.view.service("last" as ServiceId)?.Endpoint.VirtualIPs?.[0]?.Addr);
    }),
    { numRuns: 100 },
  );
});

const faults = [
  ["services-forgotten", /is held by/],
  ["nothing-freed", /deep/],
  ["bridges-kept", /deep/],
] as const;
for (const [fault, words] of faults) {
  test(`these laws notice "${fault}"`, () => {
    const { failed, errorInstance } = fc.check(
      fc.property(histories, (taken) => {
        const history = new History(new Set([fault]));
        live(history, taken);
        history.end();
      }),
      { numRuns: 400, seed: 1, endOnFailure: true },
    );
    assert.ok(failed && errorInstance instanceof Error);
    assert.match(errorInstance.message, words);
  });
}
