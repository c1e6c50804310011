import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Puts `content` in the place of what is at `path`, whole or not at all, also across a power loss.
 *
 * Shape: mode 0600; its directory exists.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.tmp`;
  const file = await open(draft, "w", 0o600);
  try {
    // A draft that a crash left behind keeps the mode that it had.
    await file.chmod(0o600);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
