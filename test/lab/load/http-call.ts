/**
 * HTTP call: one request from a host, by any name, whatever the answer's status is.
 *
 *   await httpCall(lab.host(4), { url: "http://10.88.70.1/api", host: "shop.example.com" })
 */
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";

export interface HttpQuestion {
  readonly url: string;
  /** The header `Host`, and with TLS the name in the certificate. */
  readonly host: string;
  /** PEM: who signed the certificate. */
  readonly ca?: string;
  /** Whoever signed the certificate. */
  readonly isUnchecked?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string;
  /** The certificate's end, as Node shows it. Only with TLS. */
  readonly validTo?: string;
}

/** Errors: LabError when there is no answer, with the reason. */
export async function httpCall(from: Host, question: HttpQuestion): Promise<HttpAnswer> {
  const program = new URL("./http-client.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await from.exec(["node", program, JSON.stringify(question)]);
  if (code !== 0) throw new LabError(`Cannot call ${question.url}: ${stderr.trim()}`);
  return JSON.parse(stdout) as HttpAnswer;
}
