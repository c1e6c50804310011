/** Late contents: what an engine asks for contents. The engine is made before the desk that gets them. */
import { assert } from "@gam/core";
import type { ContentSource } from "@gam/runtime";
import type { ContentDesk } from "./content-desk.ts";

export class LateContents implements ContentSource {
  desk: ContentDesk | undefined;

  files: ContentSource["files"] = async (...asked) => await this.#desk().files(...asked);
  credentials: ContentSource["credentials"] = async (task) => await this.#desk().credentials(task);
  secrets: ContentDesk["secrets"] = async (...asked) => await this.#desk().secrets(...asked);

  #desk(): ContentDesk {
    assert(this.desk !== undefined, "the engine gets actions only from a member");
    return this.desk;
  }
}
