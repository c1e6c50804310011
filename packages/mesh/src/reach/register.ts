/**
 * Register: which protocols this peer serves, and to which connections.
 *
 * Decides the limits of streams and messages of each protocol. Admission, join and renewal are for every
 * connection; all other protocols are for members only.
 */
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { Admission } from "../admission/admission.ts";
import { joinProtocol, type Responder, renewProtocol } from "../admission/join.ts";
import type { Limits } from "../trust/limits.ts";
import { idsOf, type Versions } from "../trust/protocols.ts";
import { ByteStreams } from "../wire/byte-stream.ts";
import { Exchange } from "../wire/exchange.ts";
import type { Link, Links } from "../wire/link.ts";
import type { Messages } from "../wire/messages.ts";

/** The libp2p protocol id of requests and their answers. */
export const rpcId = "/gam/rpc/1";
/** A peer has one stream of each protocol. A new one may overlap with the one that it replaces. */
const streamsPerProtocol = 8;
/** Names and numbers around the body of a request. */
const rpcHeadBytes = 1024;

export interface RegisterParts {
  readonly libp2p: Pick<Libp2p, "handle">;
  readonly limits: Limits;
  readonly versions: Versions;
  readonly links: Pick<Links, "of">;
  readonly admission: Pick<Admission, "answer">;
  readonly responder: Pick<Responder, "join" | "renew">;
  readonly messages: Pick<Messages, "accept">;
  readonly byteStreams: Pick<ByteStreams, "accept">;
  /** A connection that was not admitted opened a stream for members. The stream is closed already. */
  readonly onStranger: (connection: Connection) => void;
}

/** Call it before libp2p starts: a peer that connects early would find protocols missing. */
export async function register(parts: RegisterParts): Promise<void> {
  const { libp2p, limits, versions, links, admission, responder, messages, byteStreams } = parts;
  const few = { maxInboundStreams: streamsPerProtocol, maxOutboundStreams: streamsPerProtocol };
  const exchange = (stream: Stream): Exchange => new Exchange(stream, limits.controlFrameBytesMax);
  const membersOnly =
    (accept: (stream: Stream, link: Link) => void) =>
    (stream: Stream, connection: Connection): void => {
      const link = links.of(connection);
      if (link !== undefined) return accept(stream, link);
      stream.abort(new Error("not admitted"));
      parts.onStranger(connection);
    };
  await libp2p.handle(
    Admission.protocol,
    (stream, connection) => admission.answer(stream, connection),
    few,
  );
  await libp2p.handle(
    joinProtocol,
    (stream, connection) => responder.join(exchange(stream), connection),
    few,
  );
  await libp2p.handle(
    renewProtocol,
    (stream, connection) => responder.renew(exchange(stream), connection),
    few,
  );
  const { bulkFrameBytesMax, memberFrameBytesMax, rpcBytesMax, byteStreamsMax } = limits;
  const bounds = [
    ...idsOf("raft", versions).map((id) => [id, bulkFrameBytesMax] as const),
    ...idsOf("member", versions).map((id) => [id, memberFrameBytesMax] as const),
    ...idsOf("peer", versions).map((id) => [id, bulkFrameBytesMax] as const),
    [rpcId, rpcBytesMax + rpcHeadBytes] as const,
  ];
  for (const [protocol, bodyBytesMax] of bounds) {
    await libp2p.handle(
      protocol,
      membersOnly((stream, link) => messages.accept(stream, { protocol, link, bodyBytesMax })),
      few,
    );
  }
  await libp2p.handle(
    ByteStreams.protocol,
    membersOnly((stream, link) => byteStreams.accept(stream, link)),
    { maxInboundStreams: byteStreamsMax, maxOutboundStreams: byteStreamsMax },
  );
}
