/** Depot: what the exchange of images needs of this host's engine. */
import type { ImageDepot } from "@gam/runtime";

export type Depot = Pick<
  ImageDepot,
  | "cache"
  | "find"
  | "list"
  | "remove"
  | "canExchange"
  | "held"
  | "recipe"
  | "note"
  | "takeOut"
  | "load"
  | "roomFor"
>;
