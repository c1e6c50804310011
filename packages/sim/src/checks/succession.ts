/**
 * Succession: what an update keeps of the service that it replaces, checked at each event of the log.
 *
 * The simulator's clients send new credentials, keep those of the current or previous spec, and roll back.
 * The stored previous spec and credentials must be those of the service when the write was applied, even if
 * the asked peer had an older copy. Throws a breach.
 */
import { base64, type ServiceId } from "@gam/core";
import type { Event, Sealed, Service } from "@gam/state";
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
    known.add(text(Gam.registryAuth));
  }
}

function wrongIn(before: Service, after: Service, known: ReadonlySet<string>): string | undefined {
  const { registryAuth, registryAuthPrevious } = before.Gam;
  const { PreviousSpec, UpdateStatus, Gam } = after;
  if (isContentRoll(before, after)) return wrongInRoll(before, after);
  if (PreviousSpec !== undefined && !same(PreviousSpec, before.Spec)) {
    return "its previous spec is not the spec that was replaced";
  }
  if (!same(Gam.registryAuthPrevious, registryAuth)) {
    return "its previous credentials are not those that were replaced";
  }
  if (UpdateStatus?.State === "rollback_started") {
    if (!same(after.Spec, before.PreviousSpec)) return "it did not go back to the previous spec";
    return same(Gam.registryAuth, registryAuthPrevious)
      ? undefined
      : "it went back without the previous credentials";
  }
  const kept = [registryAuth, registryAuthPrevious].some((one) => same(one, Gam.registryAuth));
  if (kept || !known.has(text(Gam.registryAuth))) return undefined;
  return "it kept credentials from long ago";
}

/** The same spec makes other tasks: the content of a secret or config has changed. */
function isContentRoll(before: Service, after: Service): boolean {
  const isOther = before.Gam.templateVersion !== after.Gam.templateVersion;
  return isOther && same(before.Spec, after.Spec);
}

function wrongInRoll(before: Service, { PreviousSpec, Gam }: Service): string | undefined {
  const specs = [undefined, before.Spec, before.PreviousSpec];
  if (!specs.some((one) => same(one, PreviousSpec))) {
    return "its previous spec is neither the present one nor the one before";
  }
  const known = [before.Gam.registryAuth, before.Gam.registryAuthPrevious];
  if (known.some((one) => same(one, Gam.registryAuth))) return undefined;
  return "other content gave it other credentials";
}

function text(sealed: Sealed | undefined): string {
  return sealed === undefined ? "" : base64(sealed.sealed);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
