/**
 * Value: a YAML file as a tree in which every value has its position.
 *
 * Decides what YAML means: anchors, merge keys, numbers as the docker client reads them (`0440` is
 * octal). Does not decide what the values mean in a stack: the readers of read.ts do.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  type YAMLMap,
} from "yaml";
import type { Problem, SourcePosition } from "./problem.ts";

export interface ScalarValue {
  readonly kind: "scalar";
  readonly at: SourcePosition;
  readonly value: string | number | boolean | null;
  /** As it was written, without quotes. */
  readonly source: string;
}
export interface ListValue {
  readonly kind: "list";
  readonly at: SourcePosition;
  readonly items: readonly Value[];
}
export interface MapValue {
  readonly kind: "map";
  readonly at: SourcePosition;
  readonly entries: ReadonlyMap<string, { readonly at: SourcePosition; readonly value: Value }>;
}
export type Value = ScalarValue | ListValue | MapValue;

const mergeKey = "<<";

/** Returns: the tree of one file; `undefined` for invalid YAML. Adds problems to `errors`. */
export function parseFile(file: string, text: string, errors: Problem[]): Value | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, schema: "core" });
  const placeOf = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  if (document.errors.length === 0)
    return new Tree(document, placeOf, errors).from({ file, line: 1, column: 1 });
  for (const { message, pos } of document.errors) {
    // The library appends an excerpt of the file on further lines.
    const reason = message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? message;
    errors.push({ at: placeOf(pos[0]), message: reason });
  }
  return undefined;
}

class Tree {
  readonly #document: Document;
  readonly #placeOf: (offset: number) => SourcePosition;
  readonly #errors: Problem[];
  /** Anchored nodes are built once, so aliases of aliases cost nothing. */
  readonly #built = new Map<Node, Value>();
  readonly #open = new Set<Node>();

  constructor(document: Document, placeOf: (offset: number) => SourcePosition, errors: Problem[]) {
    this.#document = document;
    this.#placeOf = placeOf;
    this.#errors = errors;
  }

  /** `start`: the beginning of the file, as the position of an empty file. */
  from(start: SourcePosition): Value {
    return this.#build(this.#document.contents, start);
  }

  #build(node: Node | null, at: SourcePosition): Value {
    if (node === null) return nothing(at);
    const known = this.#built.get(node);
    if (known !== undefined) return known;
    if (this.#open.has(node)) {
      this.#errors.push({
        at,
        message: "found an anchor that contains itself: remove the inner alias",
      });
      return nothing(at);
    }
    this.#open.add(node);
    const value = this.#buildNew(node, node.range ? this.#placeOf(node.range[0]) : at);
    this.#open.delete(node);
    this.#built.set(node, value);
    return value;
  }

  #buildNew(node: Node, at: SourcePosition): Value {
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined) {
        this.#errors.push({ at, message: `found no anchor "${node.source}" before this alias` });
      }
      return this.#build(target ?? null, at);
    }
    if (node.tag?.startsWith("!")) {
      this.#errors.push({ at, message: `tag "${node.tag}" is not supported: remove it` });
    }
    if (isMap(node)) return { kind: "map", at, entries: this.#entriesOf(node, at) };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#build(isNode(item) ? item : null, at));
      return { kind: "list", at, items };
    }
    return isScalar(node) ? scalarOf(node, at) : nothing(at);
  }

  /** A map's own keys override merged ones, and the first merged map overrides later ones. */
  #entriesOf(node: YAMLMap, at: SourcePosition): MapValue["entries"] {
    const merged = new Map<string, { at: SourcePosition; value: Value }>();
    const own = new Map<string, { at: SourcePosition; value: Value }>();
    for (const { key, value } of node.items) {
      const keyAt = isNode(key) && key.range ? this.#placeOf(key.range[0]) : at;
      const name = isScalar(key) ? String(key.source ?? key.value) : "";
      const child = this.#build(isNode(value) ? value : null, keyAt);
      if (name !== mergeKey) {
        own.set(name, { at: keyAt, value: child });
        continue;
      }
      for (const source of child.kind === "list" ? child.items : [child]) {
        if (source.kind !== "map") {
          this.#errors.push({
            at: keyAt,
            message: `found a ${source.kind} under "${mergeKey}", which merges maps only`,
          });
          continue;
        }
        for (const [from, entry] of source.entries) if (!merged.has(from)) merged.set(from, entry);
      }
    }
    return new Map([...merged, ...own]);
  }
}

function nothing(at: SourcePosition): ScalarValue {
  return { kind: "scalar", at, value: null, source: "" };
}

function scalarOf(node: Scalar, at: SourcePosition): ScalarValue {
  const { value, type } = node;
  const source = node.source ?? String(value);
  if (type === Scalar.PLAIN && /^[-+]?0[0-7]+$/.test(source)) {
    return { kind: "scalar", at, value: Number.parseInt(source, 8), source };
  }
  const known = value === null || typeof value === "number" || typeof value === "boolean";
  return { kind: "scalar", at, value: known ? value : String(value), source };
}
