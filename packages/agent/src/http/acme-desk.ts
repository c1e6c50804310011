/**
 * ACME desk: gets certificates for the names of services, on the leader's host.
 *
 * Which name is next follows from the state (acme-plan.ts), and so does what a leader that stops has left behind. What is
 * secret is sealed: the account's key, and each certificate with its key.
 */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import {
  type ConfigId,
  check,
  GamError,
  jsonOr,
  messageOf,
  rethrowInvariant,
  type SecretId,
} from "@gam/core";
import { type AcmeOrder, failureLabels, planAcme, renewAtMs, wantsAcme } from "@gam/network";
import {
  type AskedChange,
  acmeAccountName,
  acmeLabel,
  isProxy,
  type Labels,
  type Sealed,
  type Secret,
  type View,
} from "@gam/state";
import { type AcmeAccount, AcmeServer, type Challenge } from "./acme-server.ts";
import { readPair } from "./certificate-pair.ts";
import { certificateRequest } from "./certificate-request.ts";

export interface AcmeDeskParts {
  readonly view: () => View;
  readonly leads: () => boolean;
  readonly mint: () => string;
  readonly sealer: {
    openSecret(secret: Secret, version: number): Uint8Array;
    sealSecret(id: SecretId, version: number, data: Uint8Array): Sealed;
  };
  /** Errors: as ClusterMember.propose(). */
  readonly propose: (changes: readonly AskedChange[]) => Promise<unknown>;
  readonly log: {
    info(fields: object, text: string): void;
    warn(fields: object, text: string): void;
  };
}

/** Also finds what became due by itself, or because this peer has become the leader. Costs nothing without such names. */
const lookMs = 10_000;
const meetMsMax = 60_000;
const meetPollMs = 250;
const answerMsMax = 5_000;

const checkAccount = check.object({
  server: check.string(2048),
  id: check.string(2048),
  key: check.string(4096),
});

export class AcmeDesk {
  readonly #parts: AcmeDeskParts;
  readonly #timer: NodeJS.Timeout;
  #working: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: AcmeDeskParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.look(), lookMs);
    this.#timer.unref();
  }

  /** Gets what is due now. */
  look(): void {
    const { leads, view } = this.#parts;
    if (!leads() || this.#isStopped) return;
    if (!wantsAcme(view()) && planAcme(view(), Date.now()).obsolete.length === 0) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** What is under way ends by itself: an order may take minutes. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #work(): Promise<void> {
    const { leads, view, propose, log } = this.#parts;
    try {
      while (leads() && !this.#isStopped) {
        const { due, obsolete } = planAcme(view(), Date.now());
        if (obsolete.length > 0) {
          await propose(obsolete.map(({ ID: id }) => ({ kind: "removeConfig", id })));
        }
        if (due === undefined) return;
        await this.#order(due);
      }
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      if (this.#isStopped) return;
      // The state could not be written. Tried again at the next look.
      log.warn({ reason: thrown.message }, "Could not note what became of a certificate");
    }
  }

  /** Errors: those of propose(). */
  async #order(order: AcmeOrder): Promise<void> {
    const { log } = this.#parts;
    const { host } = order;
    try {
      const got = await this.#get(order);
      log.info({ host, until: new Date(got.notAfterMs).toISOString() }, "Got a certificate");
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (this.#isStopped) return;
      if (thrown instanceof GamError && thrown.code === "NO_LEADER") throw thrown;
      log.warn({ host, reason: messageOf(thrown) }, "Could not get a certificate");
      await this.#fail(order, messageOf(thrown));
    }
  }

  async #get(order: AcmeOrder): Promise<{ readonly notAfterMs: number }> {
    const { host, settings, certificate, failed } = order;
    const { mint, sealer, propose } = this.#parts;
    const known = this.#account(order);
    const server = await AcmeServer.open(settings, known);
    if (server.account !== known) await this.#keep(order, server.account);
    const { der, key } = certificateRequest(host);
    const met: ConfigId[] = [];
    try {
      const chain = await server.certificate(host, der, async (challenge) => {
        met.push(await this.#meet(host, challenge));
      });
      const data = Buffer.from(`${chain.trimEnd()}\n${key}`);
      const pair = readPair(data);
      if (!pair.isFor(host)) {
        throw new GamError("REFUSED", "The ACME server gave a certificate for another name");
      }
      const renewMs = renewAtMs(pair.notBeforeMs, pair.notAfterMs);
      const labels: Labels = {
        [acmeLabel.certificate]: host,
        [acmeLabel.renew]: new Date(renewMs).toISOString(),
      };
      const id = certificate?.ID ?? (mint() as SecretId);
      const version = (certificate?.Gam.last ?? 0) + 1;
      const content = { version, ...sealer.sealSecret(id, version, data) };
      const Name = `gam-http-cert-${id}`;
      await propose([
        certificate === undefined
          ? { kind: "createSecret", id, spec: { Name, Labels: labels }, content }
          : { kind: "updateSecret", id, labels, content, basedOn: certificate.Version.Index },
        ...(failed === undefined ? [] : [{ kind: "removeConfig", id: failed.ID } as const]),
      ]);
      return pair;
    } finally {
      if (met.length > 0) await propose(met.map((id) => ({ kind: "removeConfig", id })));
    }
  }

  #account({ account }: AcmeOrder): AcmeAccount | undefined {
    if (account === undefined) return undefined;
    const data = this.#parts.sealer.openSecret(account, account.Gam.current);
    return checkAccount(jsonOr(Buffer.from(data).toString(), undefined), acmeAccountName);
  }

  async #keep({ account }: AcmeOrder, made: AcmeAccount): Promise<void> {
    const { mint, sealer, propose } = this.#parts;
    const id = account?.ID ?? (mint() as SecretId);
    const version = (account?.Gam.last ?? 0) + 1;
    const data = Buffer.from(JSON.stringify(made));
    const content = { version, ...sealer.sealSecret(id, version, data) };
    const spec = { Name: acmeAccountName, Labels: {} };
    await propose([
      account === undefined
        ? { kind: "createSecret", id, spec, content }
        : { kind: "updateSecret", id, labels: {}, content, basedOn: account.Version.Index },
    ]);
  }

  /** Resolves when every host with a proxy answers the challenge. Errors: UNREACHABLE, with the host that does not. */
  async #meet(host: string, { token, answer }: Challenge): Promise<ConfigId> {
    const { view, mint, propose } = this.#parts;
    const id = mint() as ConfigId;
    const spec = { Name: `gam-http-challenge-${id}`, Labels: { [acmeLabel.challenge]: token } };
    const content = { version: 1, data: Buffer.from(answer) };
    await propose([{ kind: "createConfig", id, spec, content }]);
    const untilMs = performance.now() + meetMsMax;
    const running = view()
      .tasks()
      .filter((task) => isProxy(task) && task.Status.State === "running");
    for (const { NodeID } of running) {
      const node = NodeID && view().node(NodeID);
      if (node === undefined || node.Status.State !== "ready") continue;
      while ((await ask(node.Status.Addr ?? "", host, token)) !== answer) {
        if (performance.now() > untilMs || this.#isStopped) {
          const name = node.Description.Hostname || node.ID;
          await propose([{ kind: "removeConfig", id }]);
          throw new GamError(
            "UNREACHABLE",
            `The HTTP proxy of ${name} does not answer the challenge`,
          );
        }
        await pause(meetPollMs);
      }
    }
    return id;
  }

  async #fail({ host, failed }: AcmeOrder, reason: string): Promise<void> {
    const { mint, propose } = this.#parts;
    const labels = failureLabels(host, failed, Date.now());
    const version = (failed?.Gam.last ?? 0) + 1;
    const content = { version, data: Buffer.from(reason.slice(0, 1000)) };
    const id = failed?.ID ?? (mint() as ConfigId);
    await propose([
      failed === undefined
        ? {
            kind: "createConfig",
            id,
            spec: { Name: `gam-http-failed-${id}`, Labels: labels },
            content,
          }
        : { kind: "updateConfig", id, labels, content, basedOn: failed.Version.Index },
    ]);
  }
}

/** Returns: what a host's proxy answers to the challenge; undefined if it does not answer. */
function ask(address: string, host: string, token: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const path = `/.well-known/acme-challenge/${token}`;
    const signal = AbortSignal.timeout(answerMsMax);
    const options = { host: address, port: 80, path, headers: { host }, agent: false, signal };
    const call = request(options, (response) => {
      text(response).then(resolve, () => resolve(undefined));
    });
    call.on("error", () => resolve(undefined));
    call.end();
  });
}
