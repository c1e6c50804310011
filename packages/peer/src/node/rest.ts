/**
 * Rest: how many ticks a peer may let pass at once.
 *
 * A peer that was told to do something, or has something under way, counts every tick. One that only hears
 * that all is well rests until the next heartbeat, probe or election is due. Whoever drives it then wakes the
 * process for these, not 20 times a second. What is heard meanwhile is taken at once, after the ticks that have
 * passed by then.
 *
 * Timers of more than `awakeTicks` (restart delays, stop periods) may be late by `restTicksMax` less one.
 */
import type { Raft } from "@gam/consensus";
import type { Membership } from "@gam/membership";
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import type { Message } from "../io/message.ts";

/** 200 ms: more than a heartbeat takes to come, so a follower hardly ever wakes by itself. */
const restTicksMax = 4;
/** 5 s: longer than any retry of a peer or worker. */
const awakeTicks = 100;

export class Rest {
  #awakeUntilTick = awakeTicks;

  /** Of each step. */
  note(nowTick: number, input: Input, effects: readonly Effect[]): void {
    if (isWork(input) || effects.some(isDeed)) this.#awakeUntilTick = nowTick + awakeTicks;
  }

  /** At least 1. */
  ticks(nowTick: number, raft: Raft, membership: Membership): number {
    if (nowTick < this.#awakeUntilTick) return 1;
    return Math.min(restTicksMax, raft.restTicks, membership.restTicks);
  }
}

/** More than news of who is alive, how busy hosts are, and what the engine has, told again. What comes of it is a deed. */
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
