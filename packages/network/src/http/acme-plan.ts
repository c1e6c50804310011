/**
 * ACME plan: for which name the leader gets a certificate next, and when.
 *
 * Everything that a supervisor has to remember is in the state: certificates in secrets that say when to renew them, and
 * failures in configs that say when to try again. So the next leader goes on where the last one stopped.
 */
import { check, jsonOr, rethrowInvariant } from "@gam/core";
import {
  acmeAccountName,
  acmeLabel,
  acmeSettingsName,
  type Config,
  httpProxyName,
  httpWish,
  type Secret,
  type View,
} from "@gam/state";

export interface AcmeSettings {
  /** URL of the server's directory. */
  readonly server: string;
  /** Where the server's operator writes to; "" for nowhere. */
  readonly email: string;
  /** PEM: who signed the server's own certificate, if no public authority did; "" otherwise. */
  readonly ca: string;
}

export interface AcmePlan {
  /** The next name to get a certificate for. */
  readonly due?: AcmeOrder;
  /** Failures of names that nobody wants any more, and challenges that a leader left behind. */
  readonly obsolete: readonly Config[];
}

export interface AcmeOrder {
  readonly host: string;
  readonly settings: AcmeSettings;
  /** The one that is replaced. */
  readonly certificate?: Secret;
  /** The failures before. */
  readonly failed?: Config;
  readonly account?: Secret;
}

const settingsForm = check.object({
  server: check.string(2048),
  email: check.string(320),
  ca: check.string(65_536),
});
const minuteMs = 60_000;
/** An order takes a few minutes at most. */
const challengeMsMax = 60 * minuteMs;
const pauseMsMax = 12 * 60 * minuteMs;
/** Renewed at this share of its lifetime: then a third is left for failures. */
const renewShare = 2 / 3;

/** Returns: undefined where nobody has said that certificates may be got, and how. */
export function acmeSettings(view: View): AcmeSettings | undefined {
  const config = view.configs().find(({ Spec }) => Spec.Name === acmeSettingsName);
  if (config === undefined) return undefined;
  const found = jsonOr(textIn(config), undefined);
  try {
    return settingsForm(found, acmeSettingsName);
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined; // Somebody has written another config of that name.
  }
}

export function planAcme(view: View, nowMs: number): AcmePlan {
  const names = acmeNames(view);
  const failures = view.configs().filter(({ Spec }) => Spec.Labels[acmeLabel.failed]);
  const obsolete = [
    ...failures.filter(({ Spec }) => !names.has(Spec.Labels[acmeLabel.failed] ?? "")),
    ...view.configs().filter(({ Spec, CreatedAt }) => {
      const isChallenge = Spec.Labels[acmeLabel.challenge] !== undefined;
      return isChallenge && isPast(CreatedAt, nowMs - challengeMsMax);
    }),
  ];
  const settings = acmeSettings(view);
  const isOn = view.services().some(({ Spec }) => Spec.Name === httpProxyName);
  if (settings === undefined || !isOn) return { obsolete };
  for (const host of names) {
    const certificate = view
      .secrets()
      .find(({ Spec }) => Spec.Labels[acmeLabel.certificate] === host);
    if (certificate && !isPast(certificate.Spec.Labels[acmeLabel.renew], nowMs)) continue;
    const failed = failures.find(({ Spec }) => Spec.Labels[acmeLabel.failed] === host);
    if (failed && !isPast(failed.Spec.Labels[acmeLabel.again], nowMs)) continue;
    const account = view.secrets().find(({ Spec }) => Spec.Name === acmeAccountName);
    const found = { ...(certificate && { certificate }), ...(failed && { failed }) };
    return { due: { host, settings, ...found, ...(account && { account }) }, obsolete };
  }
  return { obsolete };
}

/** Returns: whether any service wants certificates by ACME. */
export function wantsAcme(view: View): boolean {
  return acmeNames(view).size > 0;
}

/** Returns: when to renew a certificate. */
export function renewAtMs(notBeforeMs: number, notAfterMs: number): number {
  return notBeforeMs + (notAfterMs - notBeforeMs) * renewShare;
}

/** Returns: the labels of a failure after those of the one before. The pause doubles each time, up to half a day. */
export function failureLabels(host: string, before: Config | undefined, nowMs: number) {
  const known = Number(before?.Spec.Labels[acmeLabel.failures]);
  const failures = Number.isSafeInteger(known) && known > 0 ? known + 1 : 1;
  const pauseMs = Math.min(minuteMs * 2 ** Math.min(failures - 1, 20), pauseMsMax);
  return {
    [acmeLabel.failed]: host,
    [acmeLabel.failures]: String(failures),
    [acmeLabel.again]: new Date(nowMs + pauseMs).toISOString(),
  };
}

/** Returns: why no certificate could be got for the name, and when it is tried again; undefined if all is well. */
export function acmeFailure(view: View, host: string): string | undefined {
  const found = view.configs().find(({ Spec }) => Spec.Labels[acmeLabel.failed] === host);
  if (found !== undefined) {
    const { [acmeLabel.failures]: failures, [acmeLabel.again]: again } = found.Spec.Labels;
    return `${textIn(found)} (failed ${failures} times, next try ${again})`;
  }
  if (acmeSettings(view) !== undefined || !acmeNames(view).has(host)) return undefined;
  return 'nobody has said how to get certificates: run "gam http on --email ADDRESS"';
}

function acmeNames(view: View): ReadonlySet<string> {
  const found = view.services().flatMap(({ Spec }) => {
    const wish = httpWish(Spec.Labels);
    return wish?.tls === "acme" ? [...wish.hosts, ...wish.redirects] : [];
  });
  return new Set(found.sort());
}

/** A time that cannot be read has passed. */
function isPast(time: string | undefined, nowMs: number): boolean {
  return !(Date.parse(time ?? "") > nowMs);
}

function textIn({ Gam }: Config): string {
  const data = Gam.contents.find(({ version }) => version === Gam.current)?.data;
  return new TextDecoder().decode(data ?? new Uint8Array());
}
