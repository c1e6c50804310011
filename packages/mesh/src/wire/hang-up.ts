import { rethrowInvariant } from "@gam/core";
import type { Connection } from "@libp2p/interface";

/** Sends what is waiting, then closes. For a peer that should still read an answer. */
export function hangUp(connection: Connection): void {
  connection.close().catch((thrown) => {
    rethrowInvariant(thrown);
    cutOff(connection, "did not close in time");
  });
}

/** Ends the connection now. Nothing that the other end sent is read any more. */
export function cutOff(connection: Connection, reason: string): void {
  try {
    connection.abort(new Error(reason));
  } catch (thrown) {
    rethrowInvariant(thrown);
    // libp2p throws if the connection is closed already, which is what was wanted.
  }
}
