/**
 * Message: all that one peer says to another, and to everybody.
 *
 * Decides which shapes are let in. Whoever received bytes runs them through decodeMessage() or
 * decodeGossip(); what a machine is given has been checked.
 */

import { checkMessage as checkRaft, type Message as RaftMessage } from "@gam/consensus";
import { type Check, check, decode, encode, type ProposalId } from "@gam/core";
import {
  checkMessage as checkMember,
  checkRumour,
  checkSightings,
  type Message as MemberMessage,
  type Rumour,
  type Sightings,
} from "@gam/membership";
import {
  checkEnvelope,
  checkUsage,
  type Envelope,
  messageLengthMax,
  type RefusalCode,
  refusalCodes,
  type Usage,
} from "@gam/state";
import { checkLife, checkLifeId, type Life } from "../journal/life.ts";

/**
 * One stream each between two peers, so that a large append does not hold up a probe. What is about the log says
 * in which life of the cluster it stands.
 */
export type Message =
  | {
      readonly channel: "raft";
      readonly life: string;
      readonly body: RaftMessage;
      /** With a heartbeat: whom the leader hears. */
      readonly sightings?: Sightings | undefined;
    }
  | { readonly channel: "member"; readonly body: MemberMessage }
  | { readonly channel: "peer"; readonly life: string; readonly body: PeerMessage };

/** What followers and the leader say about proposals, and nodes about whom they send where. */
export type PeerMessage =
  /** Please put this into the log. */
  | { readonly kind: "propose"; readonly proposal: Envelope }
  /** Not by me, or not now: try again later, with whoever leads then. */
  | { readonly kind: "declined"; readonly id: ProposalId }
  /** By the leader: not this, and not later. */
  | {
      readonly kind: "refused";
      readonly id: ProposalId;
      readonly code: RefusalCode;
      readonly message: string;
    }
  /** My node sends connections by the state as it was after this entry, or later. */
  | { readonly kind: "steered"; readonly index: number }
  /** My log is of this life, and I have applied so much of it. Taken whatever the receiver's life is. */
  | { readonly kind: "life"; readonly life: Life; readonly index: number };

export type GossipMessage =
  | { readonly topic: "usage"; readonly body: Usage }
  | { readonly topic: "rumour"; readonly body: Rumour };

/** A leader of a later version may have codes that this peer has not. Its words are kept. */
const checkCode: Check<RefusalCode> = (value, path) => {
  const code = check.string(64)(value, path);
  return refusalCodes.find((one) => one === code) ?? "REFUSED";
};

const checkPeer = check.union<PeerMessage>({
  // Not its changes: one that this peer cannot read is refused, and its sender stays connected.
  propose: check.object({ kind: check.literal("propose"), proposal: checkEnvelope }),
  declined: check.object({ kind: check.literal("declined"), id: check.id<ProposalId>() }),
  refused: check.object({
    kind: check.literal("refused"),
    id: check.id<ProposalId>(),
    code: checkCode,
    message: check.string(messageLengthMax),
  }),
  steered: check.object({ kind: check.literal("steered"), index: check.integer() }),
  life: check.object({ kind: check.literal("life"), life: checkLife, index: check.integer() }),
});

const checkRaftOfLife = check.object({
  life: checkLifeId,
  body: checkRaft,
  sightings: check.optional(checkSightings),
});
const checkPeerOfLife = check.object({ life: checkLifeId, body: checkPeer });

/** What was encoded last: a leader says the very same to all members, one after the other. */
let last: { readonly said: Parts; readonly bytes: Uint8Array } | undefined;

/** Shape: the same bytes may come back for a message of the same parts. Nobody writes into them. */
export function encodeMessage(message: Message): Uint8Array {
  if (message.channel === "member") return encode(message.body);
  const { channel: _, ...said } = message;
  if (last === undefined || !hasSameParts(last.said, said)) last = { said, bytes: encode(said) };
  return last.bytes;
}

type Parts = Readonly<Record<string, unknown>>;

/** Whether all fields of the two hold the very same values. Not whether the values look alike. */
function hasSameParts(one: Parts, other: Parts): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => Object.hasOwn(other, name) && other[name] === one[name]);
}

/** Errors: BAD_FRAME, with the path of the field that is wrong. */
export function decodeMessage(channel: Message["channel"], bytes: Uint8Array): Message {
  const value = decode(bytes);
  switch (channel) {
    case "raft":
      return { channel, ...checkRaftOfLife(value, "raft") };
    case "member":
      return { channel, body: checkMember(value, "member") };
    case "peer":
      return { channel, ...checkPeerOfLife(value, "peer") };
  }
}

export function encodeGossip(gossip: GossipMessage): Uint8Array {
  return encode(gossip.body);
}

/** Errors: BAD_FRAME, with the path of the field that is wrong. */
export function decodeGossip(topic: GossipMessage["topic"], bytes: Uint8Array): GossipMessage {
  const value = decode(bytes);
  return topic === "usage"
    ? { topic, body: checkUsage(value, "usage") }
    : { topic, body: checkRumour(value, "rumour") };
}
