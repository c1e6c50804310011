/**
 * Old copy: marks an answer that was read from a copy of the state which may be old.
 *
 * A peer that reaches no leader keeps answering, because people need to look at a host that is cut off. Such an
 * answer has a Warning header (RFC 7234, 5.5: code 110, response is stale), so that a client can tell. Each call
 * runs within its own context, so routes need not pass the answer on to all that reads.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import { oldCopyNotice } from "@gam/state/answers";

const answers = new AsyncLocalStorage<ServerResponse>();

/** Runs the rest of a call. Marks within it are for this answer. */
export function withinAnswer(answer: ServerResponse, rest: () => void): void {
  answers.run(answer, rest);
}

/** Marks the answer of the present call. Streams that have begun cannot be marked any more. */
export function markOld(): void {
  const answer = answers.getStore();
  if (answer === undefined || answer.headersSent) return;
  answer.setHeader("Warning", `110 gam "${oldCopyNotice}"`);
}
