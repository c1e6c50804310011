/**
 * Value: a YAML file as a tree in which every value has its position.
 *
 * Decides what YAML means: anchors, merge keys, scalars as the docker client reads them (`0440` is octal), and
 * the tags of the Compose specification (`!reset`, `!override`). Does not decide what the values mean in a stack:
 * the readers of read.ts do.
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
  visit,
  type YAMLMap,
} from "yaml";
import type { Problem, SourcePosition } from "./problem.ts";
import { type Resolved, resolveScalar, type ScalarKind } from "./scalar.ts";
import { isUnclosed, yamlProblem } from "./yaml-problem.ts";

interface Placed {
  readonly at: SourcePosition;
  /** What a value does to the same key of the files before: `!reset` removes it, `!override` replaces it. */
  readonly mark?: "reset" | "override";
}

export interface ScalarValue extends Placed {
  readonly kind: "scalar";
  readonly type: ScalarKind;
  /** As the docker client passes it on; "" for nothing. */
  readonly text: string;
  /** As it was written, without quotes. */
  readonly source: string;
}
export interface ListValue extends Placed {
  readonly kind: "list";
  readonly items: readonly Value[];
}
export interface MapEntry {
  readonly at: SourcePosition;
  readonly value: Value;
}
export interface MapValue extends Placed {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, MapEntry>;
}
export type Value = ScalarValue | ListValue | MapValue;

const mergeKey = "<<";

/**
 * Returns: the tree of one file; `undefined` for invalid YAML. Adds problems to `errors`. Only the first error
 * of the syntax is told: the others usually follow from it.
 */
export function parseFile(file: string, text: string, errors: Problem[]): Value | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: "core",
    uniqueKeys: false,
    prettyErrors: false,
  });
  const placeOf = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const [first] = document.errors;
  if (first !== undefined) {
    const message = yamlProblem(first, text);
    // An indent is part of the place, but not of what is wrong there.
    const blanks = /^ */.exec(text.slice(first.pos[0]))?.[0].length ?? 0;
    const opened = isUnclosed(first) ? openedAt(document, first.pos[0]) : undefined;
    errors.push({ at: placeOf(opened ?? first.pos[0] + blanks), message });
    return undefined;
  }
  const start = { file, line: 1, column: 1 };
  if (document.contents === null || isEmptyScalar(document.contents)) {
    errors.push({ at: start, message: 'found an empty file: write at least "services:"' });
    return undefined;
  }
  return new Tree(document, placeOf, errors).from(start);
}

/** Returns: where the innermost quote or bracket was opened that is still open at `offset`. */
function openedAt(document: Document, offset: number): number | undefined {
  let opened: number | undefined;
  const look = (_: unknown, { range }: Node): void => {
    if (range && range[0] < offset && range[1] >= offset) opened = range[0];
  };
  visit(document, {
    Scalar: (key, node) => {
      if (node.type?.startsWith("QUOTE")) look(key, node);
    },
    Collection: (key, node) => {
      if (node.flow) look(key, node);
    },
  });
  return opened;
}

function isEmptyScalar(node: Node): boolean {
  return isScalar(node) && node.source === "" && node.type === Scalar.PLAIN;
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
    const mark = this.#markOf(node, at);
    if (isMap(node)) return { kind: "map", at, ...mark, entries: this.#entriesOf(node, at) };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#build(isNode(item) ? item : null, at));
      return { kind: "list", at, ...mark, items };
    }
    return isScalar(node) ? { ...scalarOf(node, at), ...mark } : nothing(at);
  }

  #markOf({ tag }: Node, at: SourcePosition): { mark?: "reset" | "override" } {
    if (tag === "!reset") return { mark: "reset" };
    if (tag === "!override") return { mark: "override" };
    if (tag?.startsWith("!") === true && tag !== "!") {
      this.#errors.push({ at, message: `tag "${tag}" is not supported: remove it` });
    }
    return {};
  }

  /** A map's own keys override merged ones, and the first merged map overrides later ones. */
  #entriesOf(node: YAMLMap, at: SourcePosition): MapValue["entries"] {
    const merged = new Map<string, MapEntry>();
    const own = new Map<string, MapEntry>();
    const lines = new Map<string, number>();
    for (const { key, value } of node.items) {
      const keyAt = isNode(key) && key.range ? this.#placeOf(key.range[0]) : at;
      const name = this.#nameOf(key, keyAt);
      if (name === undefined) continue;
      const line = lines.get(name);
      if (line !== undefined) {
        const found = `found the key "${name}" twice, first in line ${line}`;
        const advice = name === mergeKey ? "write one list, `<<: [*a, *b]`" : "remove one of them";
        this.#errors.push({ at: keyAt, message: `${found}: ${advice}` });
      }
      lines.set(name, keyAt.line);
      const child = this.#build(isNode(value) ? value : null, keyAt);
      if (name === mergeKey) this.#merge(merged, child, keyAt);
      else own.set(name, { at: keyAt, value: child });
    }
    return new Map([...merged, ...own]);
  }

  #merge(merged: Map<string, MapEntry>, child: Value, at: SourcePosition): void {
    for (const source of child.kind === "list" ? child.items : [child]) {
      if (source.kind !== "map") {
        const message = `found a ${source.kind} under "${mergeKey}", which merges maps only`;
        this.#errors.push({ at, message });
        continue;
      }
      for (const [from, entry] of source.entries) if (!merged.has(from)) merged.set(from, entry);
    }
  }

  /** The text of a key. An alias may be a key, too. */
  #nameOf(key: unknown, at: SourcePosition): string | undefined {
    const node = isAlias(key) ? key.resolve(this.#document) : key;
    if (isScalar(node)) return node.source ?? String(node.value);
    this.#errors.push({ at, message: "found a list or a map as a key: write a text" });
    return undefined;
  }
}

function nothing(at: SourcePosition): ScalarValue {
  return { kind: "scalar", at, type: "nothing", text: "", source: "" };
}

const standardTag = "tag:yaml.org,2002:";

function scalarOf(node: Scalar, at: SourcePosition): ScalarValue {
  const source = node.source ?? String(node.value);
  const { kind: type, text } = resolved(node, source);
  return { kind: "scalar", at, type, text, source };
}

function resolved({ tag, type }: Scalar, source: string): Resolved {
  if (tag === `${standardTag}str` || tag === "!") return { kind: "text", text: source };
  const isPlain = type === Scalar.PLAIN || tag?.startsWith(standardTag) === true;
  return isPlain ? resolveScalar(source) : { kind: "text", text: source };
}
