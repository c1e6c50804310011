/**
 * Succession: what an update leaves of the service that it replaces, looked at with each event of the log.
 *
 * Clients of the simulator bring new credentials, keep those of one of the two specs, and go back to the spec
 * before. So what is stored must be of the service as it was when the write was applied, whichever copy the
 * asked peer had. A breach is thrown.
 */
import type { ServiceId } from "@gam/core";
import type { Event, Service } from "@gam/state";
import { Breach } from "./breach.ts";

export class Succession {
  /** All that a service ever had. */
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
    return "its previous spec was not the one before";
  }
  if (Gam.registryAuthPrevious !== registryAuth) {
    return "its previous credentials were not those before";
  }
  if (UpdateStatus?.State === "rollback_started") {
    if (!same(after.Spec, before.PreviousSpec)) return "it did not go back to the spec before";
    return Gam.registryAuth === registryAuthPrevious
      ? undefined
      : "it went back without the credentials before";
  }
  const kept = [registryAuth, registryAuthPrevious].includes(Gam.registryAuth);
  return kept || !known.has(Gam.registryAuth) ? undefined : "it kept credentials of long ago";
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
