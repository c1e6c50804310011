/**
 * Image room: makes sure that the engine has a task's image, and knows under which name.
 *
 * Asks the engine first, then other hosts for an image with a digest, then the registry. An image that came from
 * another host has no registry's digest in this engine, and one that was pinned to its id never had any. So
 * containers of such an image are created by its id.
 */
import { rethrowInvariant } from "@gam/core";
import type { EngineClient } from "@gam/engine";
import { pinnedDigest } from "@gam/state";
import type { ActionOutcome } from "@gam/worker";
import { withoutContents } from "./contents/file-room.ts";
import type { EngineImages, ImageSource } from "./image-source.ts";
import type { ForeignNames } from "./images/foreign-names.ts";
import { hasImage, pullImage } from "./pull-image.ts";

export class ImageRoom {
  readonly #client: EngineClient;
  readonly #source: ImageSource;
  readonly #names: ForeignNames;

  constructor(client: EngineClient, { source, names }: EngineImages) {
    this.#client = client;
    this.#source = source;
    this.#names = names;
  }

  /** Returns: the name with which the engine finds the image of a spec. */
  nameIn(image: string): string {
    return this.#names.idOf(image) ?? image;
  }

  /** `credentials` is called before a pull from the registry. Never rejects because of what others do. */
  async ensure(image: string, credentials: () => Promise<string>): Promise<ActionOutcome> {
    const known = await this.#known(image);
    if (known !== undefined) return known;
    const isPinned = pinnedDigest(image) !== undefined;
    const fetched = isPinned ? await this.#source.fetch(image) : undefined;
    if (fetched?.kind === "loaded") {
      this.#names.note(image, fetched.id);
      return { ok: true };
    }
    if (fetched?.kind === "full") {
      const message = `No room for image ${image} on this node: ${fetched.reason}`;
      return { ok: false, failure: "refused", message };
    }
    let registryAuth = "";
    try {
      registryAuth = await credentials();
    } catch (thrown) {
      rethrowInvariant(thrown);
      return withoutContents(thrown);
    }
    return await pullImage(this.#client, image, registryAuth);
  }

  /** Returns: undefined where the engine lacks the image. */
  async #known(image: string): Promise<ActionOutcome | undefined> {
    const known = await hasImage(this.#client, image);
    if (known !== undefined) {
      if (known.ok) this.#names.forget(image);
      return known;
    }
    const digest = pinnedDigest(image);
    for (const id of [this.#names.idOf(image), digest]) {
      if (id === undefined) continue;
      const byId = await hasImage(this.#client, id);
      if (byId === undefined) continue;
      if (byId.ok) this.#names.note(image, id);
      return byId;
    }
    this.#names.forget(image);
    return undefined;
  }
}
