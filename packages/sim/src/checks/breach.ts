/** Something that must never be has been seen. */
export class Breach extends Error {
  override readonly name = "Breach";
}
