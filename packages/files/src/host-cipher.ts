/**
 * Host cipher: encrypts everything secret that one host keeps on its disk, with the host's one data key.
 *
 * Each file has its own key, derived from the data key and the file's purpose. So nonces may be random: no single
 * key ever seals so many records that two of them could get the same nonce.
 */
import { hkdfSync } from "node:crypto";
import { seal, unseal } from "./seal.ts";

/** Seals the parts of one file. `place` says which part, so that two parts cannot be exchanged. */
export interface FileCipher {
  seal(plain: Uint8Array, place?: string): Uint8Array;
  /** Errors: plain ones, for another key, another place, or bytes that were changed. */
  open(sealed: Uint8Array, place?: string): Uint8Array;
}

const keyBytes = 32;

export class HostCipher {
  readonly #key: Uint8Array;

  /** Shape: 32 random bytes. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** The cipher of one file, which the purpose names. */
  of(purpose: string): FileCipher {
    const key = new Uint8Array(hkdfSync("sha256", this.#key, "", `gam file ${purpose}`, keyBytes));
    return {
      seal: (plain, place) => seal(key, plain, place),
      open: (sealed, place) => unseal(key, sealed, place),
    };
  }
}
