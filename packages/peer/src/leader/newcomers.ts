/**
 * Newcomers: members that were let in and have never said what they are.
 *
 * Decides when such a member is given up: its host failed before it arrived, and nobody will come for it.
 * Its time is counted from when it joined, by two clocks: that of the manager that let it in may be wrong,
 * and the ticks of a leader begin anew with each leader. Does not decide about a member that answers.
 */
import type { NodeId } from "@gam/core";
import { isDescribed, type Node, type View } from "@gam/state";

const minuteTicks = (60 * 1000) / 50;
/** Time for an operator to see it, and for a slow host to start. */
const patienceTicks = 10 * minuteTicks;
const patienceMs = 10 * 60 * 1000;
/** A leader that has just begun may only not have heard of it yet. */
const lookTicks = minuteTicks;

export class Newcomers {
  #nowTick = 0;
  /** When this leader first saw each of them. */
  readonly #sinceTick = new Map<NodeId, number>();

  tick(): void {
    this.#nowTick += 1;
  }

  /** Who is to be removed now. `answers`: whether its peer is known to be there. */
  plan(view: View, nowMs: number, answers: (id: NodeId) => boolean): readonly NodeId[] {
    const waiting = view.nodes().filter((node) => !isDescribed(node) && !answers(node.ID));
    const ids = new Set(waiting.map(({ ID }) => ID));
    for (const id of this.#sinceTick.keys()) if (!ids.has(id)) this.#sinceTick.delete(id);
    for (const id of ids) if (!this.#sinceTick.has(id)) this.#sinceTick.set(id, this.#nowTick);
    return waiting.filter((node) => this.#isOver(node, nowMs)).map(({ ID }) => ID);
  }

  #isOver({ ID, CreatedAt }: Node, nowMs: number): boolean {
    const seenTicks = this.#nowTick - (this.#sinceTick.get(ID) ?? this.#nowTick);
    if (seenTicks >= patienceTicks) return true;
    return seenTicks >= lookTicks && nowMs - Date.parse(CreatedAt) >= patienceMs;
  }
}
