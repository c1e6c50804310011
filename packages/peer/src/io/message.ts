/**
 * Message: all that one peer sends to another, or to every peer.
 *
 * Decides which shapes are accepted. The receiver passes the bytes through decodeMessage() or decodeGossip();
 * machines get checked messages only.
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
 * Each channel is a stream of its own between two peers, so that a large append does not delay a probe. A
 * message about the log carries the id of its life.
 */
export type Message =
  | {
      readonly channel: "raft";
      readonly life: string;
      readonly body: RaftMessage;
      /** With a heartbeat: the peers that the leader hears. */
      readonly sightings?: Sightings | undefined;
      /** To the leader: since the sender started, the state has shown once what became of every task on its node. */
      readonly accounted?: true | undefined;
    }
  | { readonly channel: "member"; readonly body: MemberMessage }
  | { readonly channel: "peer"; readonly life: string; readonly body: PeerMessage };

/** Messages about proposals (propose, declined, refused), network plans (steered) and lives (life). */
export type PeerMessage =
  /** Put this into the log. */
  | { readonly kind: "propose"; readonly proposal: Envelope }
  /** This peer cannot take it now: try again later, with the leader of that time. */
  | { readonly kind: "declined"; readonly id: ProposalId }
  /** From the leader: refused for good. */
  | {
      readonly kind: "refused";
      readonly id: ProposalId;
      readonly code: RefusalCode;
      readonly message: string;
    }
  /** The sender's node routes connections by the state after this entry, or a later one. */
  | { readonly kind: "steered"; readonly index: number }
  /** The sender's log is of this life, applied up to this index. Accepted whatever the receiver's life is. */
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
  // Does not check the changes: a proposal that this peer cannot read is refused, and its sender stays
  // connected.
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
  accounted: check.optional(check.literal(true)),
});
const checkPeerOfLife = check.object({ life: checkLifeId, body: checkPeer });

/** Last result of encodeMessage(): a leader sends the same message to all members, one after the other. */
let last: { readonly said: Parts; readonly bytes: Uint8Array } | undefined;

/** Returns: the bytes, which may be shared with an earlier equal message. Nobody may write into them. */
export function encodeMessage(message: Message): Uint8Array {
  if (message.channel === "member") return encode(message.body);
  const { channel: _, ...said } = message;
  if (last === undefined || !hasSameParts(last.said, said)) last = { said, bytes: encode(said) };
  return last.bytes;
}

type Parts = Readonly<Record<string, unknown>>;

/** Whether all fields of both are identical (`===`), not merely equal. */
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
