/**
 * Label rule: what one of gam's labels may say, what it does, and how its value is read.
 *
 * A rule is the only source of its label: the check of a spec, the code that obeys the label and docs/labels.md
 * (checked by a test) all come from it.
 */
import { parseDuration } from "@gam/core";

export interface LabelRule<Value> {
  readonly name: `gam.${string}`;
  /** What the value may be, for `use …`: `"local"`, `a whole number from 1 to 10`. */
  readonly takes: string;
  /** What the label does: a sentence without its subject. */
  readonly does: string;
  /** What happens without the label: a clause. */
  readonly without: string;
  /** Returns: what the text means; undefined if it means nothing. */
  readonly read: (text: string) => Value | undefined;
}

/** How values are read, and the words for them. */
export type Values<Value> = Pick<LabelRule<Value>, "takes" | "read">;

/** One of the words. */
export function words<const Word extends string>(...all: readonly Word[]): Values<Word> {
  const quoted = all.map((word) => `"${word}"`);
  const last = quoted.pop() ?? "";
  return {
    takes: quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`,
    read: (text) => all.find((word) => word === text),
  };
}

/** A whole number in decimal digits, from `min` to `max`. */
export function whole(min: number, max: number): Values<number> {
  return {
    takes: `a whole number from ${min} to ${max}`,
    read: (text) => within(/^\d{1,15}$/.test(text) ? Number(text) : undefined, min, max),
  };
}

/** A number of percent, with or without the sign: `70`, `70%`, `12.5%`. Both ends included. */
export function percent(min: number, max: number): Values<number> {
  return {
    takes: `a percentage from ${min} to ${max}`,
    read: (text) => {
      const match = /^(\d{1,6}(?:\.\d{1,6})?) ?%?$/.exec(text);
      return within(match === null ? undefined : Number(match[1]), min, max);
    },
  };
}

/** A duration as Compose writes it (`90s`, `1h30m`), from `min` to `max`. Read as milliseconds. */
export function duration(min: string, max: string): Values<number> {
  const [minMs, maxMs] = [min, max].map((text) => Number(parseDuration(text)) / 1e6);
  return {
    takes: `a duration from ${min} to ${max}, such as ${min} or 1m30s`,
    read: (text) => {
      const nanoseconds = parseDuration(text);
      if (nanoseconds === undefined) return undefined;
      return within(nanoseconds / 1e6, minMs ?? 0, maxMs ?? 0);
    },
  };
}

/** A number with a decimal point: `0.5`, `-3`. */
export const decimal: Values<number> = {
  takes: "a number",
  read: (text) => (/^-?\d{1,15}(?:\.\d{1,9})?$/.test(text) ? Number(text) : undefined),
};

/** Any text that `read` takes. */
export function text<Value>(
  takes: string,
  read: (text: string) => Value | undefined,
): Values<Value> {
  return { takes, read };
}

/** Values with commas between them; spaces around each are ignored. None may be empty. */
export function list<Value>(of: Values<Value>): Values<readonly Value[]> {
  return {
    takes: `${of.takes}; several with commas between them`,
    read: (text) => {
      const all = text.split(",").map((part) => of.read(part.trim()));
      return all.every((one) => one !== undefined) ? all : undefined;
    },
  };
}

/**
 * Returns: what the label says among these; undefined without the label, for an empty value, and for one that
 *         means nothing (in a spec that another version of gam accepted).
 */
export function readLabel<Value>(
  { name, read }: Pick<LabelRule<Value>, "name" | "read">,
  labels: Readonly<Record<string, string>> | undefined,
): Value | undefined {
  const found = labels?.[name];
  return found === undefined || found === "" ? undefined : read(found);
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
