/** Volume labels: what gam does with the local volumes of a service. */
import { type LabelRule, words } from "./label-rule.ts";

export const volumeLossLabel: LabelRule<"wait" | "fresh"> = {
  name: "gam.volume.onloss",
  ...words("wait", "fresh"),
  does: 'says what a task does while the host with its local volume is lost or drained: "wait" for the host, or start elsewhere with a "fresh" volume',
  without: "the task waits",
};
