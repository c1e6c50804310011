/** Late images: what an engine asks for images. The engine is made before the desk that gets them. */
import { assert } from "@gam/core";
import type { ImageSource } from "@gam/runtime";

export class LateImages implements ImageSource {
  desk: ImageSource | undefined;

  fetch: ImageSource["fetch"] = async (image) => {
    assert(this.desk !== undefined, "the engine gets actions only from a member");
    return await this.desk.fetch(image);
  };
}
