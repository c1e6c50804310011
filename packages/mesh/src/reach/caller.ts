/**
 * Caller: opens connections, for the dialer and for joining.
 *
 * Decides how to name a failed attempt: refused by the host, refused by the peer, or failed.
 * The dialer does not retry for a joiner, so joining retries here until its timeout.
 */
import { setTimeout as delay } from "node:timers/promises";
import { GamError, messageOf, type NodeId, rethrowInvariant } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import { type Admission, idOf, NotAdmitted } from "../admission/admission.ts";
import { askToJoin, type Joined, joinProtocol } from "../admission/join.ts";
import type { OwnMembership } from "../admission/own-membership.ts";
import type { AdmissionRefusal } from "../admission/refusals.ts";
import { dialAddress, parseAddress } from "../trust/address.ts";
import type { JoinAvailability, Logger } from "../trust/door.ts";
import type { Identity } from "../trust/identity.ts";
import type { Limits } from "../trust/limits.ts";
import type { Token } from "../trust/token.ts";
import { Exchange } from "../wire/exchange.ts";
import { cutOff, hangUp } from "../wire/hang-up.ts";
import type { Host } from "../wire/host.ts";
import type { Link, Links } from "../wire/link.ts";
import type { Attempt } from "./dialer.ts";
import { isRefusal, unreachableAt } from "./unreachable.ts";

export interface CallerOptions {
  readonly identity: Identity;
  readonly limits: Limits;
  readonly log: Logger;
  readonly host: Host;
  readonly links: Links;
  readonly admission: Admission;
  readonly membership: OwnMembership;
  readonly addresses: () => readonly string[];
  readonly dialect: number | undefined;
  readonly wallMs: () => number;
  readonly onTurnedAway: (by: NodeId, refusal: AdmissionRefusal, reason: string) => void;
}

/** Between two attempts to reach the member at which to join. */
const joinPauseMs = 250;

export class Caller {
  readonly #options: CallerOptions;
  /** By connection id. Two dials to one address may share a connection, which says hello only once. */
  readonly #greetings = new Map<string, Promise<Link>>();

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async dial(wanted: NodeId, address: string): Promise<Attempt> {
    const { log, links, onTurnedAway } = this.#options;
    let connection: Connection | undefined;
    try {
      connection = await this.#connect(address);
      const found = idOf(connection) as NodeId;
      if (found !== wanted && links.to(found)?.silent === false) {
        // This peer is connected already, and a second connection would replace the first.
        hangUp(connection);
      } else if ((await this.#greetOrRenew(connection)).nodeId === wanted) {
        return "linked";
      }
      log.debug({ wanted, found, address }, "Another peer answered at that address");
      return "other";
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (isRefusal(thrown)) return "refused";
      if (thrown instanceof NotAdmitted && connection !== undefined) {
        const { refusal, message } = thrown;
        // The peer that answered at that address, which may not be the wanted one.
        const by = idOf(connection) as NodeId;
        log.debug({ address, refusal, reason: message }, "Peer turned us away");
        onTurnedAway(by, refusal, message);
      }
      if (connection !== undefined) cutOff(connection, "dial failed");
      return "failed";
    }
  }

  /** Whether the peer with that key answers at that address. Never rejects. */
  async isAt(nodeId: NodeId, address: string): Promise<boolean> {
    try {
      const connection = await this.#connect(address);
      const found = idOf(connection);
      hangUp(connection);
      return found === nodeId;
    } catch (thrown) {
      rethrowInvariant(thrown);
      this.#options.log.debug(
        { nodeId, address, reason: messageOf(thrown) },
        "Peer not found at that address",
      );
      return false;
    }
  }

  /** Errors: as Mesh.join. */
  async join(
    token: Token,
    places: readonly string[],
    availability: JoinAvailability,
  ): Promise<Joined> {
    const answers: { place: string; error: GamError }[] = [];
    for (const place of places) {
      try {
        return await this.#joinAt(place, token, availability);
      } catch (thrown) {
        if (!(thrown instanceof GamError)) throw thrown;
        answers.push({ place, error: thrown });
      }
    }
    // A refusal says more than an address that did not answer.
    const refused = answers.find(({ error }) => error.code !== "UNREACHABLE");
    if (refused !== undefined) {
      const { place, error } = refused;
      const why = error.message.replace(/^Cannot join at "[^"]*": /, "");
      throw new GamError(error.code, `Cannot join at "${place}": ${why}`, { cause: error });
    }
    const [only] = answers;
    if (answers.length === 1 && only !== undefined) {
      throw new GamError("UNREACHABLE", `Cannot join at "${only.place}": ${only.error.message}`);
    }
    const said = answers.map(({ place, error }) => `"${place}": ${error.message}`).join("; ");
    throw new GamError("UNREACHABLE", `Cannot join: nobody answers (${said})`);
  }

  /** Retries: a host that is busy or still starting may miss one dial. */
  async #joinAt(place: string, token: Token, availability: JoinAvailability): Promise<Joined> {
    const { limits } = this.#options;
    const untilMs = performance.now() + limits.joinReachMs;
    for (let dialMs = limits.dialMs; ; dialMs *= 2) {
      const leftMs = untilMs - performance.now();
      try {
        return await this.#tryToJoin(place, token, availability, Math.min(dialMs, leftMs));
      } catch (thrown) {
        // The peer answered, so its reason is final.
        if (thrown instanceof GamError) throw thrown;
        rethrowInvariant(thrown);
        const { error, isFinal } = unreachableAt(thrown, limits.joinReachMs);
        if (isFinal || performance.now() + joinPauseMs >= untilMs) throw error;
      }
      await delay(joinPauseMs);
    }
  }

  /** Errors: GamError once a peer has answered; before that, whatever went wrong. */
  async #tryToJoin(
    place: string,
    token: Token,
    availability: JoinAvailability,
    dialMs: number,
  ): Promise<Joined> {
    const { identity, limits, addresses, wallMs, membership, dialect } = this.#options;
    let connection: Connection | undefined;
    let hasAnswered = false;
    try {
      connection = await this.#connect(place, dialMs);
      const signal = AbortSignal.timeout(limits.helloMs);
      const stream = await connection.newStream(joinProtocol, { signal });
      const exchange = new Exchange(stream, limits.controlFrameBytesMax);
      const onAnswer = (): void => {
        hasAnswered = true;
      };
      const self = identity;
      const wish = { token, addresses: addresses(), availability, dialect };
      const asking = { self, ...wish, limits, wallMs, onAnswer };
      const joined = await askToJoin(exchange, connection, asking);
      exchange.close();
      membership.take(joined.credentials);
      // This peer is a member now, even if this connection fails: the dialer connects again.
      await this.#greet(connection).catch(rethrowInvariant);
      return joined;
    } catch (thrown) {
      if (connection !== undefined) cutOff(connection, "join failed");
      rethrowInvariant(thrown);
      const isAnswer = thrown instanceof GamError && (hasAnswered || thrown.code !== "UNREACHABLE");
      if (isAnswer) throw thrown;
      throw new Error(messageOf(thrown), { cause: thrown });
    }
  }

  async #connect(address: string, dialMs = this.#options.limits.dialMs): Promise<Connection> {
    const { connectionManager } = this.#options.host.components;
    return await connectionManager.openConnection(dialAddress(parseAddress(address)), {
      signal: AbortSignal.timeout(Math.max(1, Math.ceil(dialMs))),
      force: true,
    });
  }

  #greet(connection: Connection): Promise<Link> {
    const known = this.#greetings.get(connection.id);
    if (known !== undefined) return known;
    const greeting = this.#options.admission
      .greet(connection)
      .finally(() => this.#greetings.delete(connection.id));
    this.#greetings.set(connection.id, greeting);
    return greeting;
  }

  async #greetOrRenew(connection: Connection): Promise<Link> {
    try {
      return await this.#greet(connection);
    } catch (thrown) {
      if (!(thrown instanceof NotAdmitted) || thrown.refusal !== "expired") throw thrown;
      if (!(await this.#options.membership.renewOver(connection))) throw thrown;
      return await this.#greet(connection);
    }
  }
}
