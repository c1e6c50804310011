/**
 * HTTP answer: what the answer to a probe means. A shell asks, and this reads what came.
 *
 *   passed   it is well, and its number if one was asked for
 *   failed   it is not
 *   unknown  the answer says neither
 */
import { jsonOr } from "@gam/core";

/** What came. The shell cuts the body. */
export type HttpAnswer =
  | { readonly status: number; readonly body: string }
  /** No answer, and why. */
  | { readonly error: string };

/** The most of an answer that is read. */
export const bodyBytesMax = 65_536;

export type Reading =
  | { readonly kind: "passed"; readonly value?: number }
  | { readonly kind: "failed" | "unknown"; readonly reason: string };

const goodMax = 399;
const reasonLengthMax = 200;

/** Whether it is well: a status below 400. */
export function readStatus(answer: HttpAnswer): Reading {
  if ("error" in answer) return { kind: "failed", reason: cut(answer.error) };
  if (answer.status <= goodMax) return { kind: "passed" };
  return { kind: "failed", reason: `it answered with status ${answer.status}` };
}

/** A number as text or JSON, with status 200. */
export function readNumber(answer: HttpAnswer): Reading {
  const body = bodyOf(answer);
  return typeof body === "string" ? sound(body.trim(), "its answer is no number") : body;
}

/**
 * The one sample of a query's result. No sample is unknown: what was not asked yet has none.
 * Source: Prometheus, HTTP API, "Instant queries".
 */
export function readPrometheus(answer: HttpAnswer): Reading {
  const body = bodyOf(answer);
  if (typeof body !== "string") return body;
  const { status, data } = fieldsOf<"status" | "data">(jsonOr(body, undefined));
  const { resultType, result } = fieldsOf<"resultType" | "result">(data);
  if (status !== "success" || !Array.isArray(result))
    return unknown("it is no answer of Prometheus");
  if (resultType === "scalar") return sampleOf(result);
  if (resultType !== "vector") return unknown("its result is no vector and no scalar");
  if (result.length === 0) return unknown("the query has no result");
  if (result.length > 1) {
    return unknown(`the query has ${result.length} results: make it one, as with sum()`);
  }
  return sampleOf(fieldsOf<"value">(result[0]).value);
}

/** A sample is a time and a number as text. */
function sampleOf(sample: unknown): Reading {
  const [, value] = Array.isArray(sample) ? sample : [];
  return sound(typeof value === "string" ? value : "", "its result is no number");
}

function sound(text: string, otherwise: string): Reading {
  const value = /^[-+]?(?:\d|\.\d)[\d.]*(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? { kind: "passed", value } : unknown(otherwise);
}

function bodyOf(answer: HttpAnswer): string | Reading {
  if ("error" in answer) return unknown(cut(answer.error));
  return answer.status === 200 ? answer.body : unknown(`it answered with status ${answer.status}`);
}

function unknown(reason: string): Reading {
  return { kind: "unknown", reason };
}

function fieldsOf<Name extends string>(value: unknown): { readonly [name in Name]?: unknown } {
  return typeof value === "object" && value !== null ? value : {};
}

function cut(text: string): string {
  return text.slice(0, reasonLengthMax);
}
