/**
 * Rest: how many ticks a peer may skip at once.
 *
 * A peer that has work to do or in flight counts every tick. A peer that only receives signs of life rests
 * until the next heartbeat, probe or election is due. The shell can then wake the process for those only,
 * instead of 20 times a second. Messages that arrive meanwhile are handled at once, after the ticks that have
 * passed by then.
 *
 * Timers of more than `awakeTicks` (restart delays, stop periods) may be up to `restTicksMax` - 1 ticks late.
 */
import type { Raft } from "@gam/consensus";
import type { Membership } from "@gam/membership";
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import type { Message } from "../io/message.ts";

/** 200 ms: longer than a heartbeat interval, so it is usually a heartbeat that wakes a follower. */
const restTicksMax = 4;
/** 5 s: longer than any retry of a peer or worker. */
const awakeTicks = 100;

export class Rest {
  #awakeUntilTick = awakeTicks;

  /** Call this for each step. */
  note(nowTick: number, input: Input, effects: readonly Effect[]): void {
    if (isWork(input) || effects.some(isDeed)) this.#awakeUntilTick = nowTick + awakeTicks;
  }

  /** Returns: the number of ticks, at least 1. */
  ticks(nowTick: number, raft: Raft, membership: Membership): number {
    if (nowTick < this.#awakeUntilTick) return 1;
    return Math.min(restTicksMax, raft.restTicks, membership.restTicks);
  }
}

/**
 * Whether an input is work. Signs of life, usage and repeated reports of the engine are not; if they cause
 * work, an effect shows it (isDeed).
 */
function isWork(input: Input): boolean {
  switch (input.kind) {
    case "tick":
    case "gossiped":
    case "measured":
    case "described":
      return false;
    case "worker":
      return input.input.kind !== "containers";
    case "received":
      return !isSignOfLife(input.message);
    default:
      return true;
  }
}

function isDeed(effect: Effect): boolean {
  switch (effect.kind) {
    case "gossip":
    case "measure":
      return false;
    case "send":
      return !isSignOfLife(effect.message);
    default:
      return true;
  }
}

function isSignOfLife(message: Message): boolean {
  if (message.channel === "member") return true;
  if (message.channel === "peer") return false;
  return message.body.kind === "heartbeat" || message.body.kind === "heartbeatReply";
}
