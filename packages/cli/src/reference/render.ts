/** Render: the commands as Markdown (docs/commands.md) and as a manual page. */
import type { CommandText } from "./command-tree.ts";

/** docs/commands.md. `npm run commands` writes it. */
export function markdownOf(commands: readonly CommandText[]): string {
  const parts = commands.map(({ path, aliases, takes, about, values, options }) => {
    const usage = [path, takes, options.length > 0 ? "[options]" : ""].filter(
      (part) => part !== "",
    );
    const rows = [...values, ...options].map(
      ({ term, about }) => `| \`${cell(term)}\` | ${cell(about)} |`,
    );
    return [
      `## ${path}`,
      `    ${usage.join(" ")}`,
      `${sentence(about)}${aliases.length > 0 ? ` Also: ${aliases.map((one) => `\`${one}\``).join(", ")}.` : ""}`,
      ...(rows.length === 0 ? [] : [["| | |", "| --- | --- |", ...rows].join("\n")]),
    ].join("\n\n");
  });
  const head =
    "# Commands\n\nAll commands of `gam`, as `gam COMMAND --help` shows them. This page is made from them: `npm run commands`.";
  return `${[head, ...parts].join("\n\n")}\n`;
}

/** gam.1, in the macros of man(7). `version` and `date` stand at the foot of the page. */
export function manualOf(
  commands: readonly CommandText[],
  { version, date }: { readonly version: string; readonly date: string },
): string {
  const [whole, ...rest] = commands;
  const lines = [
    `.TH GAM 1 "${date}" "gam ${version}" "User commands"`,
    ".SH NAME",
    "gam \\- container orchestrator without managers",
    ".SH SYNOPSIS",
    ".B gam",
    "[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]",
    ".SH DESCRIPTION",
    "Each host runs an agent of gam beside its Docker engine. This command talks to the agent of this host.",
    "Services, nodes, networks and secrets are the docker client's: \\fBdocker \\-\\-context gam service ls\\fR.",
    ".SH OPTIONS",
    ...(whole?.options ?? []).flatMap(({ term, about }) => entry(term, about)),
    ".SH COMMANDS",
    ...rest.flatMap(({ path, takes, about, values, options }) => [
      `.SS ${roff([path, takes].filter((part) => part !== "").join(" "))}`,
      roff(sentence(about)),
      ...[...values, ...options].flatMap((one) => entry(one.term, one.about)),
    ]),
    ".SH EXIT STATUS",
    ...entry("0", "done"),
    ...entry("1", "failed, or something is wrong"),
    ...entry("2", "wrong usage"),
    ...entry("130", "ended by Ctrl-C"),
    ".SH FILES",
    ...entry("/run/gam.sock", "the agent's socket"),
    ...entry("/var/lib/gam", "the agent's data"),
    ...entry("/etc/default/gam", "the agent's settings, where a package installed it"),
    ".SH SEE ALSO",
    "/usr/share/doc/gam, docker(1)",
  ];
  return `${lines.join("\n")}\n`;
}

function entry(term: string, about: string): string[] {
  return [".TP", `\\fB${roff(term)}\\fR`, roff(about)];
}

/** A line that begins with a dot or an apostrophe would be a command of roff. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.:]$/.test(whole) ? whole : `${whole}.`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
