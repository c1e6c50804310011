/** A template that does not parse or expand. The message is Go's, without "template: NAME:". */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}
