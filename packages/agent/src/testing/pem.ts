/** PEM: a certificate for a name, signed by itself. Made by openssl, which Debian and most machines have. */
import { spawnSync } from "node:child_process";

export interface Pem {
  readonly chain: string;
  readonly key: string;
  /** Both. */
  readonly pem: string;
}

/** `kind`: what the name is. Errors: plain ones, where openssl is missing. */
export function pemFor(host: string, kind: "DNS" | "IP" = "DNS", curve = "P-256"): Pem {
  const made = ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-nodes"];
  const words = ["req", "-x509", ...made];
  const about = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=${kind}:${host}`];
  const out = ["-keyout", "-", "-out", "-", "-days", "30"];
  const { status, stdout, stderr } = spawnSync("openssl", [...words, ...out, ...about]);
  if (status !== 0) throw new Error(`openssl: ${stderr}`);
  const [key = "", chain = ""] = String(stdout).split(/(?=-----BEGIN CERTIFICATE-----)/);
  return { chain, key, pem: `${chain}${key}` };
}
