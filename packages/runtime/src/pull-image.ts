/**
 * Pull: makes the engine pull an image, within a time limit.
 *
 * The engine may try for minutes to resolve a registry's name before it sends any progress. A reachable registry
 * causes progress soon, and more of it while layers arrive.
 */
import type { Readable } from "node:stream";
import { check, messageOf, rethrowInvariant } from "@gam/core";
import { type EngineClient, EngineRefusal, EngineUnreachable, isEngineError } from "@gam/engine";
import type { ActionOutcome } from "@gam/worker";
import { jsonLines } from "./json-lines.ts";

const inspectMs = 10_000;
const firstWordMs = 20_000;
const silenceMs = 60_000;
const wholeMs = 600_000;

const progress = check.object({ error: check.optional(check.string(1 << 20)) });

/** Returns: undefined where the engine has to pull the image. Never rejects. */
export async function hasImage(
  client: EngineClient,
  image: string,
): Promise<ActionOutcome | undefined> {
  try {
    await client.call({ method: "GET", path: `/images/${image}/json`, limitMs: inspectMs });
    return { ok: true };
  } catch (thrown) {
    if (!isEngineError(thrown)) throw thrown;
    const isAbsent = thrown instanceof EngineRefusal && thrown.status === 404;
    return isAbsent ? undefined : lost(thrown);
  }
}

/** `registryAuth`: base64url of a client's `X-Registry-Auth`; "" for none. Never rejects. */
export async function pullImage(
  client: EngineClient,
  image: string,
  registryAuth: string,
): Promise<ActionOutcome> {
  try {
    const stream = await client.stream({
      method: "POST",
      path: "/images/create",
      query: { fromImage: withTag(image) },
      registryAuth,
      limitMs: firstWordMs,
    });
    const problem = await follow(stream);
    return problem === undefined ? { ok: true } : missing(image, problem);
  } catch (thrown) {
    if (!isEngineError(thrown)) throw thrown;
    // The engine answered just now, so it is the registry that does not answer.
    return missing(image, thrown.message);
  }
}

/** Without a tag the engine would pull every tag. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}

/** Why the pull failed, or `undefined`. */
async function follow(stream: Readable): Promise<string | undefined> {
  const stop = (): void => {
    stream.destroy(new EngineUnreachable("Cannot wait for registry", "it took too long"));
  };
  const whole = setTimeout(stop, wholeMs);
  let silence = setTimeout(stop, silenceMs);
  try {
    for await (const line of jsonLines(stream)) {
      clearTimeout(silence);
      silence = setTimeout(stop, silenceMs);
      const { error } = progress(line, "progress of the pull");
      if (error !== undefined) return error;
    }
    return undefined;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return messageOf(thrown);
  } finally {
    clearTimeout(whole);
    clearTimeout(silence);
    stream.destroy();
  }
}

/** Swarm's message, plus the reason unless the registry itself said that there is no such image. */
function missing(image: string, problem: string): ActionOutcome {
  const plain = /not found|manifest unknown|does not exist/i.test(problem);
  const message = `No such image: ${image}${plain ? "" : `: ${problem}`}`;
  return { ok: false, failure: "image", message };
}

function lost(thrown: EngineRefusal | EngineUnreachable): ActionOutcome {
  const failure = thrown instanceof EngineRefusal ? "refused" : "engine";
  return { ok: false, failure, message: thrown.message };
}
