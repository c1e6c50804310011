#!/bin/sh
# The gam command and agent of a package, which has a node of its own or uses the one on PATH. Works through symlinks
# and from any directory.
set -eu
self=$(readlink -f "$0")
gam_root=$(dirname "$(dirname "$self")")
gam_program=$self
gam_compiled=${GAM_COMPILED:-/var/cache/gam}
if [ -x "$gam_root/bin/node" ]; then PATH="$gam_root/bin:$PATH"; fi
# Some shells' sessions have a PATH without these, and the agent runs programs that are there.
PATH="$PATH:/usr/sbin:/sbin"
. "$gam_root/run"
if [ "${1-}" = agent ]; then
  shift
  gam_run_agent "$@"
fi
gam_run_command "$@"
