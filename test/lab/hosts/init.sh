#!/bin/bash
# First process of a lab host. It runs in new PID, mount, UTS and network namespaces, makes the file
# system that of a machine of its own, says its number in the outer PID namespace, and then only
# collects orphans. Killing it is pulling the plug: the kernel kills the whole PID namespace.
#
#   init.sh DIRECTORY NAME      DIRECTORY holds the host's disk: docker gam etc var-lib
set -eu
directory=$1 name=$2

mount --make-rprivate /
# Still the outer /proc, so this is the number by which the lab can kill us.
read -r number _ </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
# /etc and /var/lib are the machine's, with the host's own files on top. Nothing is written below.
mount -t overlay -o "lowerdir=/etc,upperdir=$directory/etc,workdir=$directory/work/etc" overlay /etc
mount -t overlay -o "lowerdir=/var/lib,upperdir=$directory/var-lib,workdir=$directory/work/var-lib" overlay /var/lib
# The engine's overlay2 cannot stand on an overlay, and the agent's fsync should cost what a disk costs.
mkdir -p /var/lib/docker /var/lib/gam
mount --bind "$directory/docker" /var/lib/docker
mount --bind "$directory/gam" /var/lib/gam
hostname "$name"
echo "$number"
exec >/dev/null
cd /
while :; do
  sleep 86400 &
  wait $! || true
done
