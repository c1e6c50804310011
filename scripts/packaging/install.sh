#!/bin/sh
# Installs gam on a Linux host, from a package file or a URL:
#   install.sh gam_0.1.0_amd64.deb|gam-0.1.0-linux-amd64.tar.gz [--sha256 SUM|--sums FILE]
# Without --sha256 and --sums it reads the sums from SHA256SUMS beside the file. It says what it does, and changes
# nothing if the sum is missing or wrong.
set -eu

refuse() {
  echo "install.sh: $1" >&2
  exit "${2-1}"
}
say() { echo "install.sh: $1"; }

file='' sum='' sums=''
while [ $# -gt 0 ]; do
  case "$1" in
    --sha256 | --sums)
      [ $# -gt 1 ] || refuse "$1 wants a value" 2
      if [ "$1" = --sha256 ]; then sum=$2; else sums=$2; fi
      shift 2
      ;;
    -h | --help)
      sed -n 's/^# \{0,1\}//p; /^set /q' "$0" | sed 1d
      exit 0
      ;;
    -*) refuse "unknown option \"$1\"; there are --sha256 and --sums" 2 ;;
    *)
      [ -z "$file" ] || refuse "unexpected word \"$1\": one file or URL" 2
      file=$1
      shift
      ;;
  esac
done
[ -n "$file" ] || refuse "name the package: a file or a URL; install.sh --help shows how" 2
[ "$(uname -s)" = Linux ] || refuse "gam runs on Linux, this is $(uname -s)"
[ "$(id -u)" = 0 ] || refuse "must be root: run it with sudo"
case "$(uname -m)" in
  x86_64) machine=amd64 ;;
  aarch64) machine=arm64 ;;
  *) refuse "there is no package for $(uname -m), only for x86_64 and aarch64" ;;
esac
name=$(basename "$file")
case "$name" in
  *_"$machine".deb | *-"$machine".tar.gz) ;;
  *.deb | *.tar.gz) refuse "$name is not for this machine, which is $machine" ;;
  *) refuse "$name is neither a .deb nor a .tar.gz of gam" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fetch FROM TO   FROM is a file or a URL.
fetch() {
  case "$1" in
    http://* | https://*)
      if command -v curl >/dev/null 2>&1; then
        curl --fail --silent --show-error --location --output "$2" "$1"
      elif command -v wget >/dev/null 2>&1; then
        wget --quiet --output-document="$2" "$1"
      else
        refuse "cannot download $1: neither curl nor wget is there"
      fi
      ;;
    *) cp "$1" "$2" ;;
  esac
}

say "reading $file"
fetch "$file" "$work/$name" || refuse "cannot read $file"
if [ -z "$sum" ]; then
  : "${sums:=$(dirname "$file")/SHA256SUMS}"
  fetch "$sums" "$work/SHA256SUMS" 2>/dev/null ||
    refuse "no sum to check $name with: there is no $sums. Give --sha256 SUM or --sums FILE"
  sum=$(sed -n "s/^\([0-9a-f]\{64\}\)  *[*]\{0,1\}$name\$/\1/p" "$work/SHA256SUMS")
  [ -n "$sum" ] || refuse "$sums has no sum of $name"
fi
found=$(sha256sum "$work/$name" | cut -d' ' -f1)
[ "$found" = "$sum" ] || refuse "$name is not the file that the sum is of: expected $sum, found $found"
say "its sha256 is right: $sum"

case "$name" in
  *.deb)
    command -v dpkg >/dev/null 2>&1 || refuse "this system has no dpkg: use the .tar.gz"
    if [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ]; then
      say "dpkg was interrupted: finishing what it had begun"
      dpkg --configure -a || say "dpkg could not finish it"
    fi
    say "installing $name with its dependencies"
    # Another build may have the same version. apt reads a file only if its path has a slash. Its own user must be able to read it, too.
    chmod 755 "$work"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends --allow-downgrades --reinstall "$work/$name"
    ;;
  *)
    missing=''
    for program in ip nft conntrack nsenter; do
      command -v "$program" >/dev/null 2>&1 || [ -x "/usr/sbin/$program" ] || [ -x "/sbin/$program" ] || missing="$missing $program"
    done
    [ -z "$missing" ] || refuse "missing programs:$missing. Install iproute2, nftables, conntrack and util-linux with this system's packages"
    say "unpacking into /usr/local/lib/gam, with the command /usr/local/bin/gam"
    mkdir -p /usr/local/lib /usr/local/bin /var/cache/gam
    mkdir "$work/new"
    tar -xzf "$work/$name" -C "$work/new" --strip-components=1
    rm -rf /usr/local/lib/gam.new
    mv "$work/new" /usr/local/lib/gam.new
    rm -rf /usr/local/lib/gam.old
    if [ -e /usr/local/lib/gam ]; then mv /usr/local/lib/gam /usr/local/lib/gam.old; fi
    mv /usr/local/lib/gam.new /usr/local/lib/gam
    rm -rf /usr/local/lib/gam.old
    ln -sf ../lib/gam/bin/gam /usr/local/bin/gam
    say "copying the manual page and the completions to /usr/local/share"
    mkdir -p /usr/local/share
    (cd /usr/local/lib/gam/share && tar -cf - .) | tar -C /usr/local/share -xf -
    if [ ! -e /etc/default/gam ]; then install -D -m 644 /usr/local/lib/gam/default /etc/default/gam; fi
    if [ -d /run/systemd/system ]; then
      say "starting the service gam"
      sed 's|/usr/bin/gam|/usr/local/bin/gam|' /usr/local/lib/gam/gam.service >/etc/systemd/system/gam.service
      systemctl daemon-reload
      systemctl enable gam.service
      systemctl restart gam.service
    fi
    ;;
esac
# Keeps the package, and the one before it, for "gam upgrade --back" and "gam up".
keep() {
  kept=${GAM_PACKAGES_DIR:-/var/cache/gam/packages}
  mkdir -p "$kept/$sum" || return 1
  if [ ! -e "$kept/$sum/$name" ]; then
    cp "$work/$name" "$kept/$sum/part" && mv "$kept/$sum/part" "$kept/$sum/$name" || return 1
  fi
  # For "gam up", which takes the package of this host to others.
  echo "$name" >"$kept/$sum/name"
  before=$(cat "$kept/present" 2>/dev/null)
  if [ "$before" != "$sum" ]; then
    if [ -n "$before" ]; then echo "$before" >"$kept/earlier.tmp" && mv "$kept/earlier.tmp" "$kept/earlier"; fi
    echo "$sum" >"$kept/present.tmp" && mv "$kept/present.tmp" "$kept/present" || return 1
  fi
  earlier=$(cat "$kept/earlier" 2>/dev/null)
  for folder in "$kept"/*/; do
    case "$(basename "$folder")" in "$sum" | "$earlier" | tools) ;; *) rm -rf "$folder" ;; esac
  done
}
keep || say "could not keep the package: gam upgrade --back cannot return to it"

say "installed gam $(gam --version)"
say "next, on the first host: gam init      on each other host: gam join TOKEN      then: gam doctor"
