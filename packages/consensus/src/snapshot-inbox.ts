/**
 * SnapshotInbox: collects one snapshot that a leader sends in chunks.
 *
 * It resumes when the same leader sends the same snapshot again, even in a later term. With another
 * sender it starts over, since two peers may write the same state in different bytes.
 */
import type { NodeId } from "@gam/core";
import type { Snapshot } from "./log/durable.ts";
import type { SnapshotChunk } from "./log/message.ts";

interface Gathering {
  readonly from: NodeId;
  readonly index: number;
  readonly indexTerm: number;
  readonly totalBytes: number;
  readonly parts: Uint8Array[];
  bytes: number;
}

export class SnapshotInbox {
  #gathering: Gathering | undefined;

  /** Returns: the whole snapshot, or the number of bytes received so far. */
  take(from: NodeId, chunk: SnapshotChunk): Snapshot | number {
    const gathering = this.#gatheringOf(from, chunk);
    if (chunk.offset === gathering.bytes && chunk.data.length > 0) {
      gathering.parts.push(chunk.data);
      gathering.bytes += chunk.data.length;
    }
    if (gathering.bytes < chunk.totalBytes) return gathering.bytes;
    this.#gathering = undefined;
    if (gathering.bytes > chunk.totalBytes) return 0; // More bytes than announced: drop them all.
    const { index, indexTerm: term, configuration } = chunk;
    return { index, term, configuration, data: joined(gathering) };
  }

  /** Drops the unfinished snapshot: the log no longer needs it. */
  clear(): void {
    this.#gathering = undefined;
  }

  #gatheringOf(from: NodeId, chunk: SnapshotChunk): Gathering {
    const { index, indexTerm, totalBytes } = chunk;
    const present = this.#gathering;
    const goesOn =
      present?.from === from &&
      present.index === index &&
      present.indexTerm === indexTerm &&
      present.totalBytes === totalBytes;
    if (goesOn) return present;
    const fresh = { from, index, indexTerm, totalBytes, parts: [], bytes: 0 };
    this.#gathering = fresh;
    return fresh;
  }
}

function joined({ parts, totalBytes }: Gathering): Uint8Array {
  const data = new Uint8Array(totalBytes);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}
