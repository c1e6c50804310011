import { rethrowInvariant } from "@gam/core";
import type { Connection } from "@libp2p/interface";

/** Lets what was said arrive, then closes. For those who deserve an answer. */
export function hangUp(connection: Connection): void {
  connection.close().catch((thrown) => {
    rethrowInvariant(thrown);
    cutOff(connection, "did not close in time");
  });
}

/** Ends the connection now. Nothing that its other end sent is looked at any more. */
export function cutOff(connection: Connection, reason: string): void {
  try {
    connection.abort(new Error(reason));
  } catch (thrown) {
    rethrowInvariant(thrown);
    // libp2p says goodbye on what may be closed already, and throws if it is. That is what we want.
  }
}
