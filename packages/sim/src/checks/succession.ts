/**
 * Succession: what an update keeps of the service that it replaces, checked at each event of the log.
 *
 * The simulator's clients send new credentials, keep those of the current or previous spec, and roll back.
 * The stored previous spec and credentials must be those of the service when the write was applied, even if
 * the asked peer had an older copy. Throws a breach.
 */
import type { ServiceId } from "@gam/core";
import type { Event, Service } from "@gam/state";
import { Breach } from "./breach.ts";

export class Succession {
  /** All credentials that a service ever had. */
  readonly #credentials = new Map<ServiceId, Set<string>>();

  take({ before, after }: Extract<Event, { table: "service" }>): void {
    if (after === undefined) return;
    const { ID, Gam } = after;
    const known = this.#credentials.get(ID) ?? new Set();
    this.#credentials.set(ID, known);
    if (before !== undefined && before.Version.Index !== after.Version.Index) {
      const wrong = wrongIn(before, after, known);
      if (wrong !== undefined) throw new Breach(`service ${ID}: ${wrong}`);
    }
    known.add(Gam.registryAuth);
  }
}

function wrongIn(before: Service, after: Service, known: ReadonlySet<string>): string | undefined {
  const { registryAuth, registryAuthPrevious } = before.Gam;
  const { PreviousSpec, UpdateStatus, Gam } = after;
  if (PreviousSpec !== undefined && !same(PreviousSpec, before.Spec)) {
    return "its previous spec is not the spec that was replaced";
  }
  if (Gam.registryAuthPrevious !== registryAuth) {
    return "its previous credentials are not those that were replaced";
  }
  if (UpdateStatus?.State === "rollback_started") {
    if (!same(after.Spec, before.PreviousSpec)) return "it did not go back to the previous spec";
    return Gam.registryAuth === registryAuthPrevious
      ? undefined
      : "it went back without the previous credentials";
  }
  const kept = [registryAuth, registryAuthPrevious].includes(Gam.registryAuth);
  return kept || !known.has(Gam.registryAuth) ? undefined : "it kept credentials from long ago";
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
