/** Depot: what the exchange of images needs of this host: its engine, and its log. */
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

export type ImageLog = Readonly<
  Record<"debug" | "info" | "warn", (fields: object, text: string) => void>
>;
