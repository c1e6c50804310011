/** Image question: what a host asks others about an image that it lacks, and the answer. Shapes and their checks. */
import { type Check, check } from "@gam/core";
import { aDigest, configBytesMax, layerList } from "@gam/runtime";
import { isImageReference } from "@gam/state";

/** The service of the mesh that answers questions, and the one that sends layers. */
export const questions = "images";
export const layers = "layers";

const digestForm = /^sha256:[0-9a-f]{64}$/;

/** A name as specs have it, or an image's id. */
const anImage = check.where(
  check.string(1024),
  (text) => isImageReference(text) || digestForm.test(text),
  "an image",
);

export interface ImageQuestion {
  readonly image: string;
  /** Layers that the asker lacks; empty while it does not know. */
  readonly lacks: readonly string[];
  /** Asks the host to take those layers out of its engine. */
  readonly open: boolean;
}

export interface ImageAnswer {
  readonly id: string;
  /** Lowest first. */
  readonly layers: readonly string[];
  readonly config?: Uint8Array | undefined;
  /** The image's size in the engine; 0 where only parts of it are. */
  readonly bytes: number;
  /** The engine has the whole image. */
  readonly whole: boolean;
  /** Layers are being taken out of the engine. */
  readonly opening: boolean;
  /** Lacking layers that can be had now. */
  readonly ready: readonly { readonly layer: string; readonly bytes: number }[];
}

export interface LayerQuestion {
  readonly image: string;
  readonly layer: string;
}

export const checkQuestion: Check<ImageQuestion> = check.object({
  image: anImage,
  lacks: layerList,
  open: check.boolean,
});

export const checkAnswer: Check<ImageAnswer> = check.object({
  id: aDigest,
  layers: layerList,
  config: check.optional(check.bytes(configBytesMax)),
  bytes: check.integer(),
  whole: check.boolean,
  opening: check.boolean,
  ready: check.list(check.object({ layer: aDigest, bytes: check.integer() }), 512),
});

export const checkLayerQuestion: Check<LayerQuestion> = check.object({
  image: anImage,
  layer: aDigest,
});
