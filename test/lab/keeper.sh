#!/bin/bash
# Ends a lab that its starter has forgotten: after SECONDS, or as soon as the process STARTER (with
# that start time; 0 for none) is gone. The rest of the line is the command that takes the lab down.
#
#   keeper.sh SECONDS STARTER START_TICKS COMMAND…
set -u
seconds=$1 starter=$2 start_ticks=$3
shift 3
starter_lives() {
  local stat fields
  [ "$starter" = 0 ] && return 0
  { read -r stat <"/proc/$starter/stat"; } 2>/dev/null || return 1
  read -r -a fields <<<"${stat##*) }"
  [ "${fields[19]}" = "$start_ticks" ] && [ "${fields[0]}" != Z ]
}
while [ "$SECONDS" -lt "$seconds" ] && starter_lives; do sleep 1; done
exec "$@"
