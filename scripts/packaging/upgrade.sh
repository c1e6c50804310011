#!/bin/sh
# Replaces gam on this host by a kept package, and makes sure that an agent runs afterwards. The agent starts it for
# "gam upgrade", as a process that outlives the agent:
#   upgrade.sh KEPT SUM VERSION PID BACK PROGRAM SOCKET [OPTION OF THE AGENT]...
# KEPT is the folder of packages. BACK is 1 when no return to the present package is wanted. It writes KEPT/log, and
# at the end KEPT/result: the sum, and installed, failed, reverted or stuck.
set -u
kept=$1 sum=$2 version=$3 pid=$4 back=$5 program=$6 socket=$7
shift 7
tools=$(dirname "$0")
PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export PATH
agent_log="${GAM_DATA_DIR:-/var/lib/gam}/agent.log"
umask 077
exec 9>"$kept/lock"
flock --nonblock 9 || exit 75
exec >"$kept/log" 2>&1

say() { echo "upgrade.sh: $1"; }
put() { echo "$2" >"$kept/$1.tmp" && mv "$kept/$1.tmp" "$kept/$1"; }
finish() {
  say "ended: $1"
  put result "$sum $1"
  exit 0
}

# A process that ended and that nobody has waited for does not run any more.
runs() {
  [ -e "/proc/$pid/status" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null
}
alive() {
  runs && grep -qa agent.mjs "/proc/$pid/cmdline" 2>/dev/null
}

install_kept() {
  for file in "$kept/$1"/gam*; do
    if [ -f "$file" ]; then
      (umask 022 && GAM_PACKAGES_DIR="$kept" sh "$tools/install.sh" "$file" --sha256 "$1" 9>&-)
      return
    fi
  done
  say "package $1 is not kept here"
  return 1
}

# Whether an agent answers, of that version if one is given.
answers() {
  found=$(GAM_SOCKET="$socket" "$program" status --json 2>/dev/null) || return 1
  [ -z "${1-}" ] || printf '%s\n' "$found" | grep -qxF "  \"version\": \"$1\"," || return 1
}

# within SECONDS COMMAND…   Repeats the command until it succeeds.
within() {
  until=$(($(date +%s) + $1))
  shift
  while ! "$@"; do
    [ "$(date +%s)" -lt "$until" ] || return 1
    sleep 0.25
  done
}

# comes_up [VERSION]   Whether the agent answers within a minute. Not once a process that this script started has
# ended: the tasks of a host without an agent are soon started elsewhere.
comes_up() {
  until=$(($(date +%s) + 60))
  while ! answers "${1-}"; do
    [ "$(date +%s)" -lt "$until" ] || return 1
    [ -z "$started" ] || runs || return 1
    sleep 0.25
  done
}

has_service() {
  [ -d /run/systemd/system ] && systemctl is-enabled --quiet gam.service 2>/dev/null
}

start() {
  say "starting the agent"
  GAM_SOCKET="$socket" GAM_BACKGROUND=1 setsid "$program" agent "$@" >>"$agent_log" 2>&1 </dev/null 9>&- &
  pid=$! started=yes
}

ended() { ! alive; }

# The service was restarted by the package. Elsewhere this stops the agent and starts the new one.
restart() {
  if has_service; then return; fi
  if alive; then
    say "stopping the agent, process $pid"
    kill -TERM "$pid" 2>/dev/null
    within 30 ended || kill -KILL "$pid" 2>/dev/null
  fi
  # Somebody else may look after the agent, and would start a second one.
  if [ -z "${GAM_BACKGROUND-}" ] && within 10 answers; then return; fi
  start "$@"
}

restarted='' started=''
put run "$sum"
rm -f "$kept/result"
before=$(cat "$kept/present" 2>/dev/null)
if install_kept "$sum"; then
  restarted=yes
  restart "$@"
  if comes_up "$version"; then
    if [ "$back" = 1 ]; then rm -f "$kept/earlier"; fi
    finish installed
  fi
  say "the new agent does not answer as version $version. Last lines of its log:"
  if has_service; then journalctl --unit gam.service --lines 5 --no-pager; else tail -n 5 "$agent_log"; fi
else
  say "the installation failed"
fi
if [ -n "$before" ] && [ "$before" != "$sum" ]; then
  say "installing the earlier package again"
  if install_kept "$before"; then
    rm -f "$kept/earlier"
    if [ -z "$restarted" ] && alive; then finish failed; fi
    restart "$@"
    if comes_up; then finish reverted; fi
  fi
fi
if answers; then finish failed; fi
if ! has_service && ! alive; then start "$@"; fi
finish stuck
