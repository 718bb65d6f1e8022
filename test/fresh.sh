#!/bin/bash
# Proves the README's two commands on a machine where nobody installed anything by hand: a Debian 12 made by debootstrap
# that has Go, make and a clone of HEAD, and empty caches but for Go's downloaded modules.
#
#   test/fresh.sh [--dir DIR] [--keep] [--warm] [TARGET…]      (default: demo test)
#
# Must be root. Nothing is left behind without --keep; DIR defaults to a temporary directory and takes some 5 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=bookworm mirror=${MIRROR:-http://deb.debian.org/debian}
dir= keep= warm= targets=()
while [ $# -gt 0 ]; do
	case "$1" in
	--dir) dir=$2; shift ;;
	--keep) keep=1 ;;
	--warm) warm=1 ;; # keep the build cache and the clone that an earlier run with --keep left: what did not change is not tested again
	*) targets+=("$1") ;;
	esac
	shift
done
[ ${#targets[@]} -gt 0 ] || targets=(demo test)
[ "$(id -u)" -eq 0 ] || { echo "fresh.sh: debootstrap and chroot need root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "fresh.sh: no debootstrap: apt-get install debootstrap" >&2; exit 1; }
[ -n "$dir" ] || dir=$(mktemp -d)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
chmod 755 "$dir" # it becomes /, and not everybody in there is root

finish() {
	local m p
	# What packages started in there (a database server, say) holds the mounts.
	for p in /proc/[0-9]*; do
		if [ "$(readlink "$p/root" 2>/dev/null)" = "$dir" ]; then kill -9 "${p#/proc/}" 2>/dev/null || true; fi
	done
	for m in gomod usr/local/go dev/shm dev/pts dev proc sys; do
		if mountpoint -q "$dir/$m"; then umount -R "$dir/$m" 2>/dev/null || umount -R -l "$dir/$m"; fi
	done
	if [ -z "$keep" ]; then rm -rf --one-file-system "$dir"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ ! -x "$dir/usr/bin/make" ]; then
	echo "fresh.sh: debootstrap $suite into $dir"
	debootstrap --variant=minbase --include=make,ca-certificates,git "$suite" "$dir" "$mirror" >"$dir.log" 2>&1 || { tail -20 "$dir.log" >&2; exit 1; }
	rm -f "$dir.log"
fi
printf 'deb %s %s main\n' "$mirror" "$suite" >"$dir/etc/apt/sources.list"
for f in /etc/resolv.conf /etc/hosts; do cp -L "$f" "$dir$f"; done
# How packages are reached from here: proxies, and who vouches for them.
for f in /etc/apt/apt.conf.d/*proxy* /etc/npmrc /root/.npmrc; do
	if [ -e "$f" ]; then cp "$f" "$dir$f"; fi
done
mkdir -p "$dir/usr/local/share/ca-certificates"
if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
	cp /usr/local/share/ca-certificates/*.crt "$dir/usr/local/share/ca-certificates/"
	chroot "$dir" update-ca-certificates >/dev/null 2>&1
fi
mkdir -p "$dir/usr/local/go" "$dir/gomod" "$dir/dev/pts" "$dir/dev/shm"
mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
mountpoint -q "$dir/sys" || mount --rbind --make-rslave /sys "$dir/sys"
mountpoint -q "$dir/dev" || mount --bind /dev "$dir/dev"
mountpoint -q "$dir/dev/pts" || mount --bind /dev/pts "$dir/dev/pts"
mountpoint -q "$dir/dev/shm" || mount -t tmpfs tmpfs "$dir/dev/shm"
mountpoint -q "$dir/usr/local/go" || { mount --bind "$(go env GOROOT)" "$dir/usr/local/go"; mount -o remount,ro,bind "$dir/usr/local/go"; }
mountpoint -q "$dir/gomod" || mount --bind "$(go env GOMODCACHE)" "$dir/gomod"

[ -n "$warm" ] || rm -rf "$dir/src" "$dir/root/.cache"
if [ -e "$dir/src" ]; then git -C "$dir/src" fetch -q "$PWD" HEAD; else git clone -q . "$dir/src"; fi
git -C "$dir/src" checkout -q "$(git rev-parse HEAD)"
for t in "${targets[@]}"; do
	start=$(date +%s)
	echo "fresh.sh: make $t"
	code=0
	chroot "$dir" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		GOMODCACHE=/gomod GOFLAGS=-buildvcs=false GOPROXY="$(go env GOPROXY)" \
		$(env | grep -iE '^(https?|no)_proxy=' || true) make -C /src "$t" || code=$?
	echo "fresh.sh: make $t ended with $code after $(($(date +%s) - start)) s"
	[ "$code" -eq 0 ] || exit "$code"
done
