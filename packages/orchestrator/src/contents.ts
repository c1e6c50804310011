/** Contents: which earlier contents of secrets and configs are deleted, because nothing needs them any more. */
import {
  type Config,
  guarded,
  neededVersions,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  type Secret,
  type View,
} from "@gam/state";

export function planContents(view: View, guard: PlanGuard = noGuard): PlannedChange[] {
  const idle = (holder: Secret | Config): number[] =>
    guarded(guard, holder.ID, () => idleVersions(view, holder), []);
  return [
    ...view.secrets().map(
      (secret): PlannedChange => ({
        kind: "dropSecretContents",
        id: secret.ID,
        versions: idle(secret),
      }),
    ),
    ...view.configs().map(
      (config): PlannedChange => ({
        kind: "dropConfigContents",
        id: config.ID,
        versions: idle(config),
      }),
    ),
  ].filter((change) => "versions" in change && change.versions.length > 0);
}

function idleVersions(view: View, holder: Secret | Config): number[] {
  const { contents } = holder.Gam;
  if (contents.length < 2) return [];
  const needed = neededVersions(view, holder);
  const versions = contents.map(({ version }: { readonly version: number }) => version);
  return versions.filter((version) => !needed.has(version));
}
