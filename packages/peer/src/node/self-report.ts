/**
 * Self-report: what this peer reports about its own node, until the state agrees.
 *
 * Decides when the report is repeated. It has no effect while another node holds the same address or key
 * (member-claims.ts of the state), so the pauses grow.
 */

import { sameValue } from "@gam/core";
import { messageLengthMax, type Node, type ReportedChange } from "@gam/state";
import type { SelfDescription } from "../io/input.ts";

/** In ticks: one second at first, at most one minute. */
const pauseTicksMin = 20;
const pauseTicksMax = 1200;

export class SelfReport {
  /** The newest dialect of the log that this peer speaks. */
  readonly #dialect: number;
  #said: SelfDescription | undefined;
  /** The node's row when it last agreed with the report. */
  #described: Node | undefined;
  #isUnderWay = false;
  #dueTick = 0;
  #pauseTicks = pauseTicksMin;

  constructor(dialect: number) {
    this.#dialect = dialect;
  }

  say(said: SelfDescription): void {
    this.#said = shortened(said);
    this.#described = undefined;
    this.#dueTick = 0;
    this.#pauseTicks = pauseTicksMin;
  }

  /**
   * Returns: what to propose now, to be followed by settled(); undefined when the node's row already agrees.
   *         `hasAccounted`: the state shows what became of every task here. Until then the node does not report
   *         its engine as ready again, because others then trust all that the state says of its tasks.
   */
  take(
    node: Node,
    { nowTick, hasAccounted }: { readonly nowTick: number; readonly hasAccounted: () => boolean },
  ): ReportedChange | undefined {
    if (this.#isUnderWay || nowTick < this.#dueTick) return undefined;
    if (this.#said === undefined || node === this.#described) return undefined;
    const { description, addresses, engine, network, root, version } = this.#said;
    const { Description, Gam } = node;
    const dialect = this.#dialect;
    const { addresses: at, engine: runs, network: part, root: key } = Gam;
    const known = [Description, at, runs, part, key, Gam.dialect, Gam.version];
    const own = [description, addresses, engine, network, root, dialect, version];
    if (sameValue(known, own)) {
      this.#described = node;
      this.#pauseTicks = pauseTicksMin;
      return undefined;
    }
    if (engine.ready && !Gam.engine.ready && !hasAccounted()) return undefined;
    this.#dueTick = nowTick + this.#pauseTicks;
    this.#pauseTicks = Math.min(2 * this.#pauseTicks, pauseTicksMax);
    this.#isUnderWay = true;
    return {
      kind: "describeNode",
      id: node.ID,
      description,
      addresses,
      engine,
      network,
      root,
      dialect,
      version,
    };
  }

  settled(): void {
    this.#isUnderWay = false;
  }
}

/** Shortens the engine's texts, which may be of any length. */
function shortened(said: SelfDescription): SelfDescription {
  const { engine, network } = said;
  const cut = (text: string): string => text.slice(0, messageLengthMax);
  return {
    ...said,
    engine: { ...engine, reason: cut(engine.reason) },
    network: { ...network, problem: cut(network.problem) },
  };
}
