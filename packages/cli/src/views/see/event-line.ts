/** Event line: one event of the cluster or of an engine, for people. */
import { type Checked, check } from "@gam/core";

const text = check.string(65_536);

/** One line of `GET /events`. Errors: BAD_FRAME with the path of what is wrong. */
export const checkEvent = check.object({
  Type: text,
  Action: text,
  Actor: check.object({ ID: text, Attributes: check.optional(check.map(text, 4096)) }),
  timeNano: check.number(),
});
export type ShownEvent = Checked<typeof checkEvent>;

const idLength = 12;

/** Returns: `2026-12-01 02:03:04Z  node update  host3  state: ready > down`. */
export function eventLine({ Type, Action, Actor, timeNano }: ShownEvent): string {
  const { name, ...rest } = Actor.Attributes ?? {};
  const host = rest["gam.host"];
  const at = new Date(timeNano / 1e6).toISOString().replace("T", " ").slice(0, 19);
  const shown = name || Actor.ID.slice(0, idLength);
  const where = host === undefined ? "" : `  on ${host}`;
  const changes = changesIn(rest);
  return `${at}Z  ${Type} ${Action}  ${shown}${where}${changes === "" ? "" : `  ${changes}`}`;
}

/** Swarm writes a change as two attributes, "state.old" and "state.new". */
function changesIn(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .flatMap(([key, value]) => {
      if (!key.endsWith(".new")) return [];
      const field = key.slice(0, -".new".length);
      const before = attributes[`${field}.old`] ?? "";
      return [`${field}: ${before === "" ? "" : `${before} > `}${value}`];
    })
    .join(", ");
}
