import { GamError } from "@gam/core";
import type { NodeSpec } from "../objects/node.ts";
import { labels, readBody, struct, text } from "./json-shape.ts";

const shape = struct("NodeSpec", {
  Name: text,
  Labels: labels,
  Role: text,
  Availability: text,
});

/** Returns: the spec that a client may give a node, in its stored form. */
export function readNodeSpec(body: unknown): NodeSpec {
  const { Name, Labels = {}, Role = "", Availability = "" } = readBody(shape, body);
  if (Role !== "manager" && Role !== "worker") {
    throw new GamError("BAD_REQUEST", `invalid Role: "${Role}"`);
  }
  if (Availability !== "active" && Availability !== "pause" && Availability !== "drain") {
    throw new GamError("BAD_REQUEST", `invalid Availability: "${Availability}"`);
  }
  return { ...(Name !== undefined && { Name }), Labels, Role, Availability };
}
