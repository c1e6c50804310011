/** Stand-ins: members of a mesh that only answer, for benches that measure one or two peers of many. */
import { type NodeId, unreachable } from "@gam/core";
import type { Input, Message } from "@gam/peer";

type RaftMessage = Extract<Message, { channel: "raft" }>["body"];

const sender = { role: "manager", asOf: 0, hosts: new Set<string>() } as const;

export function receivedFrom(from: NodeId, message: Message): Input {
  return { kind: "received", from, sender, message };
}

export class StandIns {
  /** The last log index of each. */
  readonly #logs = new Map<NodeId, number>();

  /** That member's answer to a message: it votes for each candidate, and acknowledges all entries. */
  answer(member: NodeId, message: Message): Message | undefined {
    switch (message.channel) {
      case "member": {
        if (message.body.kind !== "ping") return undefined;
        const { round } = message.body;
        return { channel: "member", body: { kind: "ack", round, incarnation: 0 } };
      }
      case "raft": {
        const body = this.#answerRaft(member, message.body);
        return body && { ...message, body };
      }
      case "peer":
        return undefined;
      default:
        return unreachable(message);
    }
  }

  #answerRaft(member: NodeId, body: RaftMessage): RaftMessage | undefined {
    const { term } = body;
    switch (body.kind) {
      case "preVote":
        return { kind: "preVoteReply", term, granted: true };
      case "vote":
        return { kind: "voteReply", term, granted: true };
      case "heartbeat":
        return { kind: "heartbeatReply", term, round: body.round };
      case "append": {
        const known = this.#logs.get(member) ?? 0;
        const match = Math.max(known, body.previousIndex + body.entries.length);
        this.#logs.set(member, match);
        return { kind: "appendReply", term, match };
      }
      default:
        return undefined;
    }
  }
}
