/**
 * Describing: proposes what this node is, until the state has it.
 *
 * Decides when a proposal can do any good: with a leader, as a member, and with a disk that an older gam refuses to
 * start on. How often it is tried, and what it says, is up to SelfReport.
 *
 * Drive it with say() for each description, and look() after it and in each tick.
 */
import type { NodeId } from "@gam/core";
import type { ReportedChange, View } from "@gam/state";
import type { Tell } from "../access/troubles.ts";
import type { SelfDescription } from "../io/input.ts";
import type { ProposalOutcome } from "../io/proposals.ts";
import { SelfReport } from "./self-report.ts";

export interface DescribingParts {
  readonly self: NodeId;
  readonly view: View;
  /** The newest dialect of the log that this peer speaks. */
  readonly dialect: number;
  /** Whether the disk says that this peer speaks that dialect. */
  readonly speaks: (dialect: number) => boolean;
  /** As SelfReport.take(). */
  readonly hasAccounted: () => boolean;
  readonly propose: (change: ReportedChange, settle: (answer: ProposalOutcome) => void) => void;
  readonly tell: Tell;
}

export class Describing {
  readonly #parts: DescribingParts;
  readonly #report: SelfReport;

  constructor(parts: DescribingParts) {
    this.#parts = parts;
    this.#report = new SelfReport(parts.dialect);
  }

  say(said: SelfDescription): void {
    this.#report.say(said);
  }

  look(nowTick: number, hasLeader: boolean): void {
    const { self, view, dialect, speaks, hasAccounted, propose, tell } = this.#parts;
    const node = view.node(self);
    if (node === undefined || !hasLeader) return;
    // The others start to use the dialect once the state has it. An older gam on this disk could not follow then.
    if (!speaks(dialect)) return;
    const change = this.#report.take(node, { nowTick, hasAccounted });
    if (change === undefined) return;
    propose(change, (answer) => {
      this.#report.settled();
      if (answer.kind !== "refused") return;
      tell("described", "Cannot describe this host", { reason: answer.message });
    });
  }
}
