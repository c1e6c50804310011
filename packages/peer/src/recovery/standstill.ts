/**
 * Standstill: what a peer does that has met an entry of the log which it cannot read and others apply.
 *
 * To skip the entry would make its state another than theirs, and to end would meet the entry again at each start.
 * So it applies nothing any more and takes no part: it does not vote, lead, acknowledge, answer probes or
 * give its engine orders. To the others it is a host that is lost, and they replace it. Containers run on. Its log
 * stays as it is, so a newer gam goes on from there.
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
