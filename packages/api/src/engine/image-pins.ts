/**
 * Image pins: looks up what hosts have by the tag in a service's spec.
 *
 * Asks the own engine, because an image that was just built is not in its host's usage yet. Decides nothing:
 * image-pin.ts does. Without an answer the tag stays as the client sent it.
 */
import { type HeldImage, heldImages, type PinFacts, pinnedDigest } from "@gam/state";
import type { ClusterDoor } from "../door/door.ts";
import { fieldsOf, textOf } from "../request/fields.ts";
import { type Engine, missing } from "./engine.ts";

const askMs = 3_000;

/** Returns: what is known of the image in the body of a call, whatever the body is. */
export async function pinFacts(
  engine: Engine,
  door: Pick<ClusterDoor, "usage" | "self">,
  body: unknown,
): Promise<Omit<PinFacts, "current">> {
  const template = fieldsOf(fieldsOf(body).TaskTemplate);
  const image = textOf(fieldsOf(template.ContainerSpec).Image);
  if (image === "" || pinnedDigest(image) !== undefined) return { own: undefined, others: [] };
  const own = await askEngine(engine, image);
  if (own !== undefined) return { own, others: [] };
  const others = [...door.usage()].filter(([id]) => id !== door.self);
  return { own, others: others.flatMap(([, { images }]) => heldImages(images)) };
}

async function askEngine(engine: Engine, image: string): Promise<HeldImage | undefined> {
  const path = `/images/${encodeURI(image)}/json`;
  const answer = await engine.ask("GET", path, askMs).catch(missing);
  if (answer?.status !== 200) return undefined;
  const { Id, RepoTags, RepoDigests } = fieldsOf(answer.body);
  const names = [RepoTags, RepoDigests].flatMap((some) =>
    Array.isArray(some) ? some.map(textOf) : [],
  );
  // The engine also finds an image by the beginning of its id.
  const isNamed = names.some((name) => name === image || name === `${image}:latest`);
  return isNamed && textOf(Id) !== "" ? { id: textOf(Id), names } : undefined;
}
