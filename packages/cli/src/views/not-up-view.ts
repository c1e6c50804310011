/** Not-up view: what `gam status` shows of services that do not come up. */
import type { GamStatus } from "@gam/state/answers";

const servicesShown = 10;

export function notUpView(
  { notUp }: Pick<GamStatus, "notUp">,
  warn: (text: string) => string,
  nowMs: number,
): string[] {
  if (notUp.length === 0) return [];
  const shown = notUp.slice(0, servicesShown);
  const more = notUp.length - shown.length;
  return [
    ...shown.map(({ name, places, reason, failures, restartsAtMs }) => {
      const tasks = places === 1 ? "" : ` (${places} tasks)`;
      const said = [reason, ...loop(failures), ...next(restartsAtMs - nowMs)].join("; ");
      return `${warn(`Service ${name}`)} does not come up${tasks}: ${said}`;
    }),
    ...(more === 0 ? [] : [`and ${more} more services`]),
    'Run "docker service ps --no-trunc SERVICE" to see each task',
  ];
}

function loop(failures: number): string[] {
  return failures < 2 ? [] : [`${failures} failures in a row`];
}

function next(leftMs: number): string[] {
  return leftMs <= 0 ? [] : [`restarts in ${Math.ceil(leftMs / 1000)} s`];
}
