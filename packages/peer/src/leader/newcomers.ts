/**
 * Newcomers: members that joined and have never described themselves.
 *
 * Decides when to remove such a member: its host failed before it arrived, and no person will repair it. The
 * time since it joined is measured by two clocks. The clock of the manager that admitted it may be wrong, and
 * the ticks of a leader start at zero with each leader. Does not decide about a member that answers.
 */
import type { NodeId } from "@gam/core";
import { isDescribed, type Node, type View } from "@gam/state";

const minuteTicks = (60 * 1000) / 50;
/** Gives an operator time to notice it, and a slow host time to start. */
const patienceTicks = 10 * minuteTicks;
const patienceMs = 10 * 60 * 1000;
/** A new leader may simply not have heard it yet. */
const lookTicks = minuteTicks;

export class Newcomers {
  #nowTick = 0;
  /** When this leader first saw each of them. */
  readonly #sinceTick = new Map<NodeId, number>();

  tick(): void {
    this.#nowTick += 1;
  }

  /** Returns: the members to remove now. `answers`: whether a member's peer is known to be alive. */
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
