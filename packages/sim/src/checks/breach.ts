/** A checker found a broken rule. */
export class Breach extends Error {
  override readonly name = "Breach";
}
