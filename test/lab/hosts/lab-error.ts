/** The lab could not do something. The message is a sentence for the user. */
export class LabError extends Error {
  override readonly name = "LabError";
}
