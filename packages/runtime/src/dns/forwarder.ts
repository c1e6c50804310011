/**
 * Forwarder: asks the host's own name servers for names that gam does not know.
 *
 * Decides which server to ask next, how long to wait, what to cache, and how many questions may be open. Clients
 * with the same question share one. A server that does not answer is asked last for 10 s, so that one dead server
 * costs its two seconds once and not for each name.
 */
import { randomInt } from "node:crypto";
import { type Clock, rethrowInvariant } from "@gam/core";
import { AnswerCache } from "./answer-cache.ts";
import { type Ask, askByTcp, askByUdp, type Upstream } from "./ask-upstream.ts";
import { type DnsQuery, flag, questionKey, rcode } from "./dns-message.ts";
import { type ForwardedAnswer, readForwarded } from "./forwarded-answer.ts";
import { header, opt } from "./write-answer.ts";

const answerMs = 2_000;
const shunnedMs = 10_000;
const inFlightMax = 512;
/** One container with very many questions must not block those of all others. */
const inFlightPerAskerMax = 64;

export interface ForwarderOptions {
  /** The host's name servers, best first; never one that would ask this server again. */
  readonly upstreams: () => Promise<readonly Upstream[]>;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Caches no answers: the servers themselves change them before their time. */
  readonly isUncached?: boolean;
}

export interface Found {
  readonly answer: ForwardedAnswer;
  readonly ageSeconds: number;
}

export class Forwarder {
  readonly #upstreams: () => Promise<readonly Upstream[]>;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #cache: AnswerCache | undefined;
  readonly #inFlight = new Map<string, Promise<ForwardedAnswer | undefined>>();
  readonly #askers = new Map<string, number>();
  readonly #shunnedUntilMs = new Map<string, number>();
  readonly #closing = new AbortController();

  constructor({ upstreams, clock, isUncached = false }: ForwarderOptions) {
    this.#cache = isUncached ? undefined : new AnswerCache();
    this.#upstreams = upstreams;
    this.#clock = clock;
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * Returns: a cached answer at once, else a promise that never rejects; undefined when no server answers or
   * too many questions are open.
   */
  resolve(query: DnsQuery, from: string): Found | Promise<Found | undefined> | undefined {
    const key = keyOf(query);
    const kept = this.#cache?.get(key, this.#clock.monotonicMs());
    if (kept !== undefined) return kept;
    const answer = this.#inFlight.get(key) ?? this.#begin(key, query, from);
    return answer?.then((one) => one && { answer: one, ageSeconds: 0 });
  }

  #begin(
    key: string,
    query: DnsQuery,
    from: string,
  ): Promise<ForwardedAnswer | undefined> | undefined {
    const asking = this.#askers.get(from) ?? 0;
    if (this.#inFlight.size >= inFlightMax || asking >= inFlightPerAskerMax) return undefined;
    this.#askers.set(from, asking + 1);
    const answer = this.#ask(query)
      .then((one) => {
        if (one !== undefined) this.#cache?.put(key, one, this.#clock.monotonicMs());
        return one;
      })
      .finally(() => {
        this.#inFlight.delete(key);
        const left = (this.#askers.get(from) ?? 1) - 1;
        if (left === 0) this.#askers.delete(from);
        else this.#askers.set(from, left);
      });
    this.#inFlight.set(key, answer);
    return answer;
  }

  /** Asks the servers one after the other. Returns the last refusal when none has a better answer. */
  async #ask(query: DnsQuery): Promise<ForwardedAnswer | undefined> {
    let refusal: ForwardedAnswer | undefined;
    for (const upstream of await this.#order()) {
      if (this.#closing.signal.aborted) return undefined;
      const name = nameOf(upstream);
      try {
        const answer = await this.#askOne(query, upstream);
        this.#shunnedUntilMs.delete(name);
        if (answer.rcode === rcode.noError || answer.rcode === rcode.noSuchName) return answer;
        refusal = answer;
      } catch (thrown) {
        rethrowInvariant(thrown);
        // Any failure is this server's alone, and the next one may answer.
        this.#shunnedUntilMs.set(name, this.#clock.monotonicMs() + shunnedMs);
      }
    }
    return refusal;
  }

  /** A single server is asked twice, so that one lost packet does not fail the query. */
  async #order(): Promise<Upstream[]> {
    const nowMs = this.#clock.monotonicMs();
    const all = await this.#upstreams();
    const shunned = (upstream: Upstream): number =>
      Number((this.#shunnedUntilMs.get(nameOf(upstream)) ?? 0) > nowMs);
    const sorted = all.toSorted((a, b) => shunned(a) - shunned(b));
    return sorted.length === 1 && sorted.every((one) => shunned(one) === 0)
      ? [...sorted, ...sorted]
      : sorted;
  }

  async #askOne(query: DnsQuery, upstream: Upstream): Promise<ForwardedAnswer> {
    const id = randomInt(0x10000);
    const ask: Ask<ForwardedAnswer> = {
      upstream,
      message: question(query, id),
      limitMs: answerMs,
      signal: this.#closing.signal,
      accept: (reply) => readForwarded(reply, { id, question: query.question }),
    };
    const answer = await askByUdp(ask);
    return answer.truncated ? await askByTcp(ask) : answer;
  }
}

function nameOf({ address, port }: Upstream): string {
  return `${address}#${port}`;
}

/** DNSSEC's two bits change the answer, so they are part of the key. */
function keyOf({ question: bytes, flags, edns }: DnsQuery): string {
  const checking = flags & flag.checkingDisabled ? "c" : "";
  return `${questionKey(bytes)}${edns?.wantsDnssec ? "d" : ""}${checking}`;
}

/** The question with EDNS of gam's own: the options in the client's EDNS are not for the next server. */
function question({ question: bytes, flags, edns }: DnsQuery, id: number): Buffer {
  const asked = flag.recursionDesired | (flags & flag.checkingDisabled);
  return Buffer.concat([header(id, asked, 1, 0, 0, 1), bytes, opt(0, edns?.wantsDnssec ?? false)]);
}
