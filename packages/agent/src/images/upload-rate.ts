/**
 * Upload rate: bounds the bytes a second that this host sends of layers, to all peers together.
 *
 * Other messages of the mesh share the line, so layers must not fill it.
 */
import { setTimeout as pause } from "node:timers/promises";

/** How far the bytes of one moment may run ahead. */
const burstMs = 50;

export class UploadRate {
  readonly #bytesPerMs: number;
  #dueMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Resolves when so many bytes may be sent. */
  async take(bytes: number): Promise<void> {
    const nowMs = performance.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs) + bytes / this.#bytesPerMs;
    const waitMs = this.#dueMs - nowMs - burstMs;
    if (waitMs > 0) await pause(waitMs);
  }
}
