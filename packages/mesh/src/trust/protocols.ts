/**
 * Protocols: the names under which messages travel, each with a version.
 *
 * Decides nothing at run time: the peer that opens a stream names its versions, newest first, and libp2p takes
 * the first that the other end speaks too. So two releases in a row talk, by the older version. How to add a
 * version: docs/releasing.md.
 */
/** Carried on one long-lived stream each, in order, best effort. */
export type Protocol = "raft" | "member" | "peer";

export type Versions = Readonly<Record<Protocol, readonly [number, ...number[]]>>;

export interface MessageProtocols {
  /** Versions that this peer speaks, newest first. Two releases in a row share at least one. */
  readonly versions: Versions;
  /**
   * A body in another version of its protocol. Handlers and senders know only the newest one.
   *
   * Errors: BAD_FRAME, as a handler's.
   */
  readonly translate: (
    protocol: Protocol,
    body: Uint8Array,
    between: { readonly from: number; readonly to: number },
  ) => Uint8Array;
}

/** One version of each, so there is nothing to translate. */
export const spokenProtocols: MessageProtocols = {
  versions: { raft: [1], member: [1], peer: [1] },
  translate: (_, body) => body,
};

/** The libp2p protocol ids of its versions, newest first. */
export function idsOf(protocol: Protocol, versions: Versions): readonly [string, ...string[]] {
  const [newest, ...others] = versions[protocol];
  const idOf = (version: number): string => `/gam/${protocol}/${version}`;
  return [idOf(newest), ...others.map(idOf)];
}

const pattern = /^\/gam\/(raft|member|peer)\/(\d+)$/;

/** Undefined for an id that is not a message protocol's. */
export function parseId(
  id: string,
): { readonly protocol: Protocol; readonly version: number } | undefined {
  const [, protocol, version] = pattern.exec(id) ?? [];
  if (protocol === undefined) return undefined;
  return { protocol: protocol as Protocol, version: Number(version) };
}

/** The body, translated from protocol id `from` to protocol id `to`. Errors: as `translate`. */
export function translated(
  { translate }: MessageProtocols,
  body: Uint8Array,
  { from, to }: { readonly from: string; readonly to: string },
): Uint8Array {
  const [before, after] = [parseId(from), parseId(to)];
  if (from === to || before === undefined || after === undefined) return body;
  return translate(before.protocol, body, { from: before.version, to: after.version });
}
