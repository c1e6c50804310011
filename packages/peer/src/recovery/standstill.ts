/**
 * Standstill: what a peer does after it meets a log entry that it cannot read and others apply.
 *
 * If it skipped the entry, its state would differ from theirs. If it ended, it would meet the entry again at
 * each start. So it stops applying entries and takes no part: it does not vote, lead, acknowledge, answer
 * probes or give its engine orders. To the others its host is lost, and they replace it. Its containers keep
 * running. Its log stays unchanged, so a newer gam can continue from there.
 *
 * Does not decide when that is so (Vetting.barrierAt()).
 */
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import type { Journal } from "../journal/journal.ts";

export function standStill(input: Input, reason: string, journal: Journal): readonly Effect[] {
  switch (input.kind) {
    case "persisted":
      journal.persisted();
      return [];
    case "propose": {
      const answer = { kind: "lost", message: reason } as const;
      return [{ kind: "proposed", request: input.request, answer }];
    }
    case "read":
      return [{ kind: "read", request: input.request, fresh: false }];
    default:
      return [];
  }
}
