#!/bin/bash
# Installs what Budayang needs from Debian or Ubuntu, and nothing that is there already.
#
#   deploy/setup/install.sh build     to compile the terminal (C compiler, OpenGL and X11 headers)
#   deploy/setup/install.sh run       to show it (X server without a display, window manager, Mesa, a Chinese font)
#   deploy/setup/install.sh test      what the tests use beside that: independent printers, readers and renderers
#   deploy/setup/install.sh lab       what the lab's virtual machine takes (make lab)
#
# It may be run again at any time. It says what it installs, and uses sudo only when it is not root.
set -euo pipefail

build=(gcc pkg-config libc6-dev libgl1-mesa-dev xorg-dev ca-certificates git)
run=(xvfb xauth matchbox-window-manager xdotool imagemagick libgl1-mesa-dri x11-utils x11-xserver-utils poppler-utils procps)
test=(cups-ipp-utils cups-filters dbus avahi-daemon poppler-utils qpdf zbar-tools nodejs npm psmisc chromium postgresql spin fuse3 swtpm)
lab=(qemu-system-x86 busybox-static cpio kmod xz-utils)

want=()
for set in "$@"; do
	case "$set" in
	build) want+=("${build[@]}") ;;
	run) want+=("${run[@]}") ;;
	test) want+=("${test[@]}") ;;
	lab) want+=("${lab[@]}") ;;
	*)
		echo "install.sh: no set '$set': build, run, test, lab" >&2
		exit 2
		;;
	esac
done

# A tool that came another way (a Node.js from elsewhere, say) is not replaced.
satisfied() {
	case "$1" in
	nodejs) command -v node >/dev/null ;;
	npm) command -v npm >/dev/null ;;
	gcc) command -v gcc >/dev/null ;;
	git) command -v git >/dev/null ;;
	*) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
	esac
}

missing=()
for p in "${want[@]}"; do
	satisfied "$p" || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "install.sh: this is neither Debian nor Ubuntu; please install by hand: ${missing[*]}" >&2
	exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo)
fi
echo "install.sh: installing from $(. /etc/os-release && echo "$PRETTY_NAME"): ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
