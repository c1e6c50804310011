import type { ReportedChange } from "@gam/state";
import type { EngineAction } from "./action.ts";

export type WorkerEffect =
  /** Perform, and answer with `acted`. Actions may be performed at the same time. */
  | { readonly kind: "engine"; readonly action: EngineAction }
  /** Propose, and answer with `settled`. There is one at a time. */
  | { readonly kind: "report"; readonly changes: readonly ReportedChange[] };
