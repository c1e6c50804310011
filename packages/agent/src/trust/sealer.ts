/**
 * Sealer: seals for the state what only managers may read, and opens it: the data of secrets and the credentials for
 * registries.
 *
 * What is sealed is bound to its object and version: the state cannot be changed so that a task gets another
 * object's data.
 */
import { GamError, rethrowInvariant, type SecretId, type ServiceId } from "@gam/core";
import { type Credentials, seal, unseal } from "@gam/mesh";
import type { Sealed, SealingKey, Secret, Service, View } from "@gam/state";
import { openSealingKey } from "./sealing-keys.ts";

export interface SealerParts {
  readonly view: () => View;
  /** Errors: NOT_MEMBER. */
  readonly credentials: () => Credentials;
}

export class Sealer {
  readonly #parts: SealerParts;
  /** Keys that were opened. An id never gets another key. */
  readonly #opened = new Map<string, Uint8Array>();

  constructor(parts: SealerParts) {
    this.#parts = parts;
  }

  /** Errors: as openSealingKey(); NO_LEADER before the state has arrived. */
  sealSecret(id: SecretId, version: number, data: Uint8Array): Sealed {
    return this.#seal(data, aboutSecret(id, version));
  }

  /** Errors: as openSealingKey(); NOT_FOUND for a version that the secret does not have; REFUSED if it does not open. */
  openSecret({ ID, Spec, Gam }: Secret, version: number): Uint8Array {
    const content = Gam.contents.find((one) => one.version === version);
    if (content === undefined) {
      throw new GamError(
        "NOT_FOUND",
        `Cannot read secret "${Spec.Name}": it has no content of version ${version}`,
      );
    }
    return this.#open(content, aboutSecret(ID, version), `secret "${Spec.Name}"`);
  }

  /** `text`: a client's `X-Registry-Auth`. Errors: as sealSecret(). */
  sealCredentials(service: ServiceId, text: string): Sealed {
    return this.#seal(Buffer.from(text), aboutCredentials(service));
  }

  /** Returns: the `X-Registry-Auth` for pulls of the service's image; "" for none. Errors: as openSecret(). */
  openCredentials(service: Service): string {
    const { registryAuth } = service.Gam;
    if (registryAuth === undefined) return "";
    return this.openCredentialsOf(service, registryAuth);
  }

  /** As openCredentials(), for present or previous credentials of the service. */
  openCredentialsOf({ ID, Spec }: Service, sealed: Sealed): string {
    const what = `registry credentials of service "${Spec.Name}"`;
    return Buffer.from(this.#open(sealed, aboutCredentials(ID), what)).toString();
  }

  #seal(plain: Uint8Array, about: string): Sealed {
    const key = this.#parts.view().cluster?.SealingKeys.at(-1);
    if (key === undefined) {
      throw new GamError("NO_LEADER", "Cannot seal secrets: the state has not arrived yet");
    }
    return { key: key.ID, sealed: seal(this.#key(key), plain, about) };
  }

  #open({ key: id, sealed }: Sealed, about: string, what: string): Uint8Array {
    const key = this.#parts.view().cluster?.SealingKeys.find(({ ID }) => ID === id);
    if (key === undefined) {
      throw new GamError("REFUSED", `Cannot read ${what}: the key that sealed it is gone`);
    }
    const opener = this.#key(key);
    try {
      return unseal(opener, sealed, about);
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw new GamError("REFUSED", `Cannot read ${what}: it was changed after it was sealed`, {
        cause: thrown,
      });
    }
  }

  #key(key: SealingKey): Uint8Array {
    const credentials = this.#parts.credentials();
    // A demoted manager may not use a key that it opened before.
    if (credentials.rootPrivateKey === undefined) this.#opened.clear();
    const known = this.#opened.get(key.ID);
    if (known !== undefined) return known;
    const opened = openSealingKey(key, credentials);
    this.#opened.set(key.ID, opened);
    return opened;
  }
}

function aboutSecret(id: SecretId, version: number): string {
  return `gam secret 1 ${id} ${version}`;
}

function aboutCredentials(id: ServiceId): string {
  return `gam registry credentials 1 ${id}`;
}
