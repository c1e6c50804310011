/** The lab could not do what it was asked. The message is a sentence for the person who asked. */
export class LabError extends Error {
  override readonly name = "LabError";
}
