/**
 * Go value: what a template can compute with.
 *
 * A bigint is Go's int, a number is float64, a string is Go text (go-text.ts), undefined is no value or nil.
 */

/** A byte of a text: Go's uint8. */
export class Byte {
  readonly code: number;

  constructor(code: number) {
    this.code = code;
  }
}

/** Go's map[string]string. */
export class TextMap {
  readonly entries: ReadonlyMap<string, string>;

  constructor(entries: ReadonlyMap<string, string>) {
    this.entries = entries;
  }

  /** In Go's order: by the bytes of the key. */
  sorted(): [string, string][] {
    return [...this.entries].sort(([one], [other]) => (one < other ? -1 : 1));
  }
}

/** A struct, or a pointer to one, with the name that its type has in messages. */
export class Struct {
  readonly type: string;
  readonly fields: ReadonlyMap<string, GoValue>;
  readonly isPointer: boolean;

  constructor(type: string, fields: ReadonlyMap<string, GoValue>, isPointer = false) {
    this.type = type;
    this.fields = fields;
    this.isPointer = isPointer;
  }
}

export type GoValue = string | bigint | number | boolean | Byte | TextMap | Struct | undefined;

export function typeOf(value: GoValue): string {
  if (value instanceof Byte) return "uint8";
  if (value instanceof TextMap) return "map[string]string";
  if (value instanceof Struct) return value.isPointer ? `*${value.type}` : value.type;
  switch (typeof value) {
    case "bigint":
      return "int";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    case "string":
      return "string";
    default:
      return "<nil>";
  }
}

/** Whether a condition holds: not the zero value of its type. */
export function truth(value: GoValue): boolean {
  if (value instanceof Byte) return value.code !== 0;
  if (value instanceof TextMap) return value.entries.size > 0;
  return Boolean(value);
}
