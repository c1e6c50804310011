/**
 * Errands: probes that this peer makes for other peers.
 *
 * Decides what to answer and when. Each accepted request gets exactly one answer: reached or unreached.
 */
import type { NodeId } from "@gam/core";
import type { Message } from "./message.ts";

/** Far above need: a peer asks once per helpTicks for each of the few peers it watches. */
const errandsMax = 256;

interface Errand {
  readonly asker: NodeId;
  readonly askedRound: number;
  readonly peer: NodeId;
  readonly dueTick: number;
}

export interface ProbeReply {
  readonly to: NodeId;
  readonly message: Message;
}

export class Errands {
  /** By the round of our own ping, in the order in which they time out. */
  readonly #open = new Map<number, Errand>();

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Returns: false when there are too many. We do not answer then, so the asker sees our overload. */
  take(round: number, errand: Errand): boolean {
    if (this.#open.size >= errandsMax) return false;
    this.#open.set(round, errand);
    return true;
  }

  acked(round: number, from: NodeId, incarnation: number): ProbeReply[] {
    const errand = this.#open.get(round);
    if (errand === undefined || errand.peer !== from) return [];
    this.#open.delete(round);
    const { asker, askedRound, peer } = errand;
    return [{ to: asker, message: { kind: "reached", round: askedRound, peer, incarnation } }];
  }

  tick(nowTick: number): ProbeReply[] {
    const answers: ProbeReply[] = [];
    for (const [round, { asker, askedRound, peer, dueTick }] of this.#open) {
      if (dueTick > nowTick) break;
      this.#open.delete(round);
      answers.push({ to: asker, message: { kind: "unreached", round: askedRound, peer } });
    }
    return answers;
  }
}
