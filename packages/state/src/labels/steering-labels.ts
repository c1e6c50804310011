/** Steering labels: how connections find the tasks of a service. */
import { type LabelRule, words } from "./label-rule.ts";

export const stickyLabel: LabelRule<"client"> = {
  name: "gam.sticky",
  ...words("client"),
  does: "sends all connections of a client's address to one task",
  without: "connections go to any task",
};

export const ingressLabel: LabelRule<"local"> = {
  name: "gam.ingress",
  ...words("local"),
  does: "lets a published port prefer tasks on the asked host",
  without: "connections go to all tasks, on all hosts",
};
