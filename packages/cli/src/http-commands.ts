/** The options of `gam http`. */
import type { Command } from "commander";
import type { CommandIo } from "./agent/command-io.ts";
import type { OpenClient } from "./host-commands.ts";

export function addHttpCommands(program: Command, client: OpenClient, io: CommandIo): void {
  const commands = () => import("./commands/http-commands.ts");
  const http = program
    .command("http")
    .description("run a proxy on each host that answers HTTP for services by name");
  http
    .command("on")
    .description("run the proxy on ports 80 and 443 of all hosts")
    .option("--image <image>", "an image with Caddy 2.6 or newer (default: caddy:2)")
    .option(
      "--email <address>",
      "get certificates by ACME where services ask for it; accepts the terms of the ACME server",
    )
    .option("--acme-server <url>", "directory of the ACME server (default: Let's Encrypt)")
    .option(
      "--acme-ca <file>",
      "PEM file of the authority that signed the ACME server's certificate",
    )
    .action(async (options) => (await commands()).turnOn(await client(), io, options));
  http
    .command("off")
    .description("remove the proxy; services run on, and their names are not answered")
    .action(async () => (await commands()).turnOff(await client(), io));
  http
    .command("status")
    .description("show the names that the proxy answers for, their certificates, and what is wrong")
    .option("--json", "print JSON, for programs")
    .action(async (options) => (await commands()).status(await client(), io, options));
}
