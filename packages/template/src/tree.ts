/** Tree: the parts of a parsed template, and how Go writes them in messages. */
import { quote } from "./quote.ts";

interface At {
  /** In bytes from the beginning of the template. */
  readonly at: number;
}

export interface Pipe extends At {
  readonly kind: "pipe";
  readonly assigns: boolean;
  readonly declared: readonly string[];
  readonly commands: readonly PipeCommand[];
}

export interface PipeCommand extends At {
  readonly kind: "command";
  readonly words: readonly Word[];
}

export type Word =
  | Pipe
  | (At & { readonly kind: "field"; readonly names: readonly string[] })
  | (At & { readonly kind: "variable"; readonly name: string; readonly names: readonly string[] })
  | (At & { readonly kind: "chain"; readonly of: Word; readonly names: readonly string[] })
  | (At & { readonly kind: "function"; readonly name: string })
  | (At & { readonly kind: "bool"; readonly value: boolean })
  | (At & { readonly kind: "dot" })
  | (At & { readonly kind: "nil" })
  | (At & { readonly kind: "number"; readonly text: string; readonly value: NumberValue })
  | (At & { readonly kind: "string"; readonly text: string; readonly value: string });

/** What a number can be: the place where it is used decides. */
export interface NumberValue {
  readonly int: bigint | undefined;
  readonly float: number | undefined;
  /** Whether it is a float where any type fits. */
  readonly isFloat: boolean;
}

export interface Branch extends At {
  readonly kind: "if" | "with" | "range";
  readonly pipe: Pipe;
  readonly list: List;
  readonly otherwise: List | undefined;
}

export type TemplateNode =
  | (At & { readonly kind: "text"; readonly text: string })
  | (At & { readonly kind: "action"; readonly pipe: Pipe })
  | (At & { readonly kind: "break" })
  | (At & { readonly kind: "continue" })
  | (At & { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | undefined })
  | Branch;

export type List = readonly TemplateNode[];

/** The text as a whole, and the templates that it defines, by name. */
export interface Template {
  readonly text: string;
  readonly name: string;
  readonly definitions: ReadonlyMap<string, List>;
}

const fields = (names: readonly string[]): string => names.map((name) => `.${name}`).join("");

/** Returns: what stands between the angle brackets of Go's messages. */
export function textOf(node: TemplateNode | Word | PipeCommand): string {
  switch (node.kind) {
    case "pipe": {
      const declared = node.declared.join(", ");
      const sign = node.assigns ? " = " : " := ";
      return (declared && declared + sign) + node.commands.map(textOf).join(" | ");
    }
    case "command":
      return node.words
        .map((word) => (word.kind === "pipe" ? `(${textOf(word)})` : textOf(word)))
        .join(" ");
    case "field":
      return fields(node.names);
    case "variable":
      return node.name + fields(node.names);
    case "chain": {
      const of = node.of.kind === "pipe" ? `(${textOf(node.of)})` : textOf(node.of);
      return of + fields(node.names);
    }
    case "function":
      return node.name;
    case "bool":
      return String(node.value);
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "number":
    case "string":
    case "text":
      return node.text;
    case "action":
      return `{{${textOf(node.pipe)}}}`;
    case "break":
    case "continue":
      return `{{${node.kind}}}`;
    case "template":
      return `{{template ${quote(node.name)}${node.pipe === undefined ? "" : ` ${textOf(node.pipe)}`}}}`;
    default: {
      const otherwise =
        node.otherwise === undefined ? "" : `{{else}}${node.otherwise.map(textOf).join("")}`;
      return `{{${node.kind} ${textOf(node.pipe)}}}${node.list.map(textOf).join("")}${otherwise}{{end}}`;
    }
  }
}
