/** Limits: everything in the mesh that has a bound, by name. All can be set for tests. */

const kibi = 1024;
const mebi = 1024 * kibi;

export interface Limits {
  /** Largest frame of hello, join and renew. A certificate is 300 bytes. */
  readonly controlFrameBytesMax: number;
  /** Largest message of the "member" protocol. Probes and rumours are small. */
  readonly memberFrameBytesMax: number;
  /** Largest message of "raft" and "peer": a batch of entries or a piece of a snapshot. */
  readonly bulkFrameBytesMax: number;
  /** Largest request or answer of an rpc. */
  readonly rpcBytesMax: number;
  /** Largest gossip message. */
  readonly gossipBytesMax: number;
  /** Bytes that wait for one peer on one protocol; what does not fit is dropped and counted. */
  readonly queueBytesMax: number;
  /** Requests under way to one peer, and from one peer. */
  readonly requestsMax: number;
  /** Byte streams open with one peer, each way. */
  readonly byteStreamsMax: number;
  /** Bytes of a byte stream that may be sent before its reader takes them. */
  readonly windowBytes: number;
  /** From the connection to the proof of membership. Generous: both cores may be busy. */
  readonly helloMs: number;
  /** One attempt to connect, with its handshake. */
  readonly dialMs: number;
  /** Silence on a connection after which a ping is sent. */
  readonly pingAfterMs: number;
  /** Silence after which the peer is dialled again, beside the old connection. */
  readonly suspectAfterMs: number;
  /** Silence after which the connection is closed. */
  readonly dropAfterMs: number;
  /** Connections that have not proved membership, at one time. */
  readonly visitorsMax: number;
  /** Attempts to join from one address: a burst of this size, then one each second. */
  readonly joinBurst: number;
  /** How long a joiner tries to reach one address, in as many dials as that takes. */
  readonly joinReachMs: number;
  /** How long a joiner waits for its request to be committed. */
  readonly joinMs: number;
}

export const defaultLimits: Limits = {
  controlFrameBytesMax: 64 * kibi,
  memberFrameBytesMax: 256 * kibi,
  bulkFrameBytesMax: 4 * mebi,
  rpcBytesMax: 8 * mebi,
  gossipBytesMax: 256 * kibi,
  queueBytesMax: 16 * mebi,
  requestsMax: 1024,
  byteStreamsMax: 256,
  windowBytes: 256 * kibi,
  helloMs: 10_000,
  dialMs: 2_000,
  pingAfterMs: 1_500,
  suspectAfterMs: 3_000,
  dropAfterMs: 10_000,
  visitorsMax: 64,
  joinBurst: 10,
  joinReachMs: 20_000,
  joinMs: 20_000,
};
