/**
 * Sealed file: a small file of which a copy is useless without the host's key.
 *
 * The envelope is JSON with a version that older releases refuse to read, so that none takes the file for a broken
 * one. A file without the envelope is plain: an older release has written it, and its reader writes it anew.
 */
import { base64, fromBase64, GamError, rethrowInvariant } from "@gam/core";
import type { HostCipher } from "./host-cipher.ts";
import { readIfThere } from "./read-if-there.ts";
import { replaceFile } from "./replace-file.ts";

/** What a sealed file holds, in words: a part of its key. */
export interface FileSeal {
  readonly cipher: HostCipher;
  readonly purpose: string;
}

export interface SealedContent {
  readonly content: Buffer;
  /** The file is not encrypted. */
  readonly isPlain: boolean;
}

const envelope = /^\{"version":2,"sealed":"([A-Za-z0-9+/=]*)"\}\n$/;

/** What to do about files that were sealed with another key. */
export const otherKeyRemedy =
  'Put back the "host.key" that was beside it. Without that, move the whole data directory away, start the agent, ' +
  'run "gam join TOKEN" with a token from another peer, and remove the old node there with "docker node rm --force"';

/** As replaceFile(). */
export async function replaceSealed(
  path: string,
  content: string,
  { cipher, purpose }: FileSeal,
): Promise<void> {
  const sealed = base64(cipher.of(purpose).seal(Buffer.from(content)));
  await replaceFile(path, `{"version":2,"sealed":"${sealed}"}\n`);
}

/** Whether these are the bytes of a sealed file. */
export function isSealed(content: Uint8Array): boolean {
  return envelope.test(Buffer.from(content).toString());
}

/**
 * Returns: undefined if there is no file.
 *
 * Errors: CORRUPT_FILE if it was sealed with another key; those of the file system.
 */
export async function readSealed(
  path: string,
  { cipher, purpose }: FileSeal,
): Promise<SealedContent | undefined> {
  const content = await readIfThere(path);
  if (content === undefined) return undefined;
  const sealed = envelope.exec(content.toString())?.[1];
  if (sealed === undefined) return { content, isPlain: true };
  try {
    const plain = cipher.of(purpose).open(fromBase64(sealed));
    return { content: Buffer.from(plain), isPlain: false };
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot decrypt "${path}": it was encrypted with another key, or was changed. Nothing was changed on this disk. ${otherKeyRemedy}`,
      { cause: thrown },
    );
  }
}
