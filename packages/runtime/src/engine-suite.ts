/**
 * The tests that every ContainerEngine must pass, the real one and the fake.
 *
 * The image must run `sh` when given a command, and run until it is stopped when given none.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TaskId } from "@gam/core";
import { type Network, planNetwork, type Task } from "@gam/state";
import {
  type ActionOutcome,
  type ContainerState,
  type EngineAction,
  filesOf,
  planContainer,
} from "@gam/worker";
import { aNode, anOverlay, aTask, withFiles } from "@gam/worker/testing";
import type { ContainerEngine, EngineNews } from "./container-engine.ts";

export interface SuiteWorld {
  readonly engine: ContainerEngine;
  readonly image: string;
  /** An image that no registry has. */
  readonly imageMissing: string;
  /** A command of a container that ends with code 3. */
  readonly failing: readonly string[];
}

type NewAction<A = EngineAction> = A extends EngineAction ? Omit<A, "id"> : never;

const newsMs = 20_000;

export function engineSuite(name: string, open: () => Promise<SuiteWorld>): void {
  describe(name, () => {
    let world: SuiteWorld;
    let nextId = 1;
    const heard: EngineNews[] = [];
    const waiting = new Set<() => void>();
    const networks: readonly Network[] = ["front", "back"].map((name, index) =>
      anOverlay(`${name}${process.pid}`, index + 1),
    );

    const act = (action: NewAction): Promise<ActionOutcome> => {
      nextId += 1;
      return world.engine.perform({ ...action, id: nextId });
    };

    /** Waits until the news so far satisfy `done`. */
    const until = async (done: () => boolean): Promise<void> => {
      const late = AbortSignal.timeout(newsMs);
      while (!done()) {
        await new Promise<void>((resolve, reject) => {
          waiting.add(resolve);
          late.addEventListener("abort", () => reject(new Error("expected news did not arrive")));
        });
      }
    };

    const told = (task: TaskId): ContainerState | undefined => {
      const states = heard.flatMap((news) => {
        if (news.kind === "container") return news.container;
        return news.kind === "containers" ? news.containers : [];
      });
      return states.findLast((state) => state.task === task);
    };

    const create = async (task: Task): Promise<ContainerState> => {
      const planned = planContainer(task, { cluster: "suite", node: aNode(), networks });
      assert.ok("plan" in planned, JSON.stringify(planned));
      const outcome = await act({ kind: "create", task: task.ID, plan: planned.plan });
      assert.ok(outcome.ok && outcome.container !== undefined, JSON.stringify(outcome));
      return outcome.container;
    };

    const makeTask = (
      id: string,
      args?: readonly string[],
      joined: readonly Network[] = [],
    ): Task => {
      const task = aTask(`${id}${process.pid}`, {
        Spec: {
          ContainerSpec: {
            Image: world.image,
            ...(args && { Args: args }),
            StopGracePeriod: 1e9,
            Init: false,
          },
        },
      });
      const attachments = joined.map(({ Id, Gam }) => {
        return { network: Id, address: `${Gam.gateways.node1}00` };
      });
      return { ...task, Gam: { ...task.Gam, attachments } };
    };

    const remove = (task: Task, container: string): Promise<ActionOutcome> =>
      act({ kind: "remove", task: task.ID, container });

    before(async () => {
      world = await open();
      world.engine.watch((news) => {
        heard.push(news);
        for (const wake of waiting) wake();
        waiting.clear();
      });
      await until(() => heard.some(({ kind }) => kind === "containers"));
    });

    after(async () => {
      await act({ kind: "pruneNetworks", keep: [] });
      await world.engine.close();
    });

    test("reports that the engine is ready, then lists", () => {
      assert.deepEqual(heard[0], { kind: "engine", ready: true, reason: "" });
      assert.equal(heard[1]?.kind, "containers");
    });

    test("a container is created, started, stopped and removed, each step twice", async () => {
      const task = makeTask("twice");
      const made = await create(task);
      assert.equal(made.phase, "created");
      assert.equal((await create(task)).id, made.id, "the second create adopts");
      const on = { task: task.ID, container: made.id };
      for (let n = 0; n < 2; n += 1) {
        const started = await act({ kind: "start", ...on });
        assert.ok(started.ok && started.container?.phase === "running", JSON.stringify(started));
        assert.ok(started.container.pid > 0);
      }
      await until(() => told(task.ID)?.phase === "running");
      for (let n = 0; n < 2; n += 1) {
        const stopped = await act({ kind: "stop", ...on });
        assert.ok(stopped.ok && stopped.container?.phase === "exited", JSON.stringify(stopped));
        assert.ok(stopped.container.exitCode > 128, "it was ended by a signal");
      }
      await until(() => told(task.ID)?.phase === "exited");
      for (let n = 0; n < 2; n += 1) assert.deepEqual(await remove(task, made.id), { ok: true });
      await until(() => told(task.ID)?.phase === "gone");
    });

    test("a container to which nobody is connected has no connections", async () => {
      const task = makeTask("quiet");
      const on = { task: task.ID, container: (await create(task)).id };
      const started = await act({ kind: "start", ...on });
      const pid = (started.ok && started.container?.pid) || 0;
      assert.ok(pid > 0, JSON.stringify(started));
      const counted = (): Promise<ActionOutcome> =>
        act({ kind: "count", task: task.ID, pid, addresses: ["10.253.1.200"] });
      assert.deepEqual(await counted(), { ok: true, connections: 0 });
      await act({ kind: "stop", ...on });
      await remove(task, on.container);
      assert.deepEqual(await counted(), { ok: true, connections: 0 }, "nor has one that is gone");
    });

    test("an action on a container that is gone fails with gone", async () => {
      const on = { task: "none" as TaskId, container: "0".repeat(64) };
      for (const kind of ["start", "stop", "inspect"] as const) {
        const outcome = await act({ kind, ...on });
        assert.equal(outcome.ok ? "ok" : outcome.failure, "gone", kind);
      }
    });

    test("an exit is reported with its code", async () => {
      const task = makeTask("exit", world.failing);
      const { id } = await create(task);
      await act({ kind: "start", task: task.ID, container: id });
      await until(() => told(task.ID)?.phase === "exited");
      assert.equal(told(task.ID)?.exitCode, 3);
      await remove(task, id);
    });

    test("an image that the engine has is not pulled, an image that no registry has is refused", async () => {
      const ensure = (image: string): Promise<ActionOutcome> => act({ kind: "ensureImage", image });
      assert.deepEqual(await ensure(world.image), { ok: true });
      const outcome = await ensure(world.imageMissing);
      assert.ok(!outcome.ok && outcome.failure === "image", JSON.stringify(outcome));
      assert.ok(outcome.message.startsWith(`No such image: ${world.imageMissing}`));
      const task = makeTask("noimage");
      const spec = { ...task.Spec, ContainerSpec: { Image: world.imageMissing } };
      const planned = planContainer(
        { ...task, Spec: spec },
        { cluster: "suite", node: aNode(), networks: [] },
      );
      assert.ok("plan" in planned);
      const made = await act({ kind: "create", task: task.ID, plan: planned.plan });
      assert.equal(made.ok ? "ok" : made.failure, "image");
    });

    test("a container has its files, and is not created without them", async () => {
      const task = withFiles(makeTask("files"));
      const { files } = filesOf(task);
      const planned = planContainer(task, { cluster: "suite", node: aNode(), networks });
      assert.ok("plan" in planned);
      const early = await act({ kind: "create", task: task.ID, plan: planned.plan });
      assert.equal(early.ok ? "ok" : early.failure, "refused");
      for (let n = 0; n < 2; n += 1) {
        assert.deepEqual(await act({ kind: "placeFiles", task: task.ID, files }), { ok: true });
      }
      assert.deepEqual(await act({ kind: "sweepFiles", keep: [task.ID] }), { ok: true });
      const { id } = await create(task);
      const started = await act({ kind: "start", task: task.ID, container: id });
      assert.ok(started.ok, JSON.stringify(started));
      await act({ kind: "stop", task: task.ID, container: id });
      assert.deepEqual(await act({ kind: "dropFiles", task: task.ID }), { ok: true });
      await remove(task, id);
    });

    test("networks are created once, joined, kept while in use, and pruned", async () => {
      const task = makeTask("joined", undefined, networks);
      const planned = planContainer(task, { cluster: "suite", node: aNode(), networks });
      assert.ok("plan" in planned);
      const early = await act({ kind: "create", task: task.ID, plan: planned.plan });
      assert.equal(early.ok ? "ok" : early.failure, "network");
      for (const network of [...networks, ...networks]) {
        const plan = planNetwork(network, aNode(), "suite");
        assert.ok(plan !== undefined);
        assert.deepEqual(await act({ kind: "ensureNetwork", network: plan }), { ok: true });
      }
      const half = { ...planned.plan, joins: planned.plan.joins.slice(0, 1) };
      const begun = await act({ kind: "create", task: task.ID, plan: half });
      assert.equal(begun.ok && begun.container?.phase, "unfinished", "a network is missing");
      const { id, phase } = await create(task);
      assert.equal(phase, "created");
      assert.equal(id, begun.ok && begun.container?.id, "it was finished");
      assert.equal((await create(task)).id, id, "it is on the second network already");
      const started = await act({ kind: "start", task: task.ID, container: id });
      assert.ok(started.ok, JSON.stringify(started));
      const keep = networks.map(({ Id }) => Id);
      assert.deepEqual(await act({ kind: "pruneNetworks", keep }), { ok: true });
      const used = await act({ kind: "pruneNetworks", keep: [] });
      assert.equal(used.ok ? "ok" : used.failure, "refused");
      await remove(task, id);
      assert.deepEqual(await act({ kind: "pruneNetworks", keep: [] }), { ok: true });
    });
  });
}
