#!/bin/bash
# Installs what Budayang needs from Debian or Ubuntu, and nothing that is there already.
#
#   deploy/setup/install.sh build     to compile the terminal (C compiler, OpenGL, X11 and libusb headers)
#   deploy/setup/install.sh run       to show it (X server without a display, window manager, Mesa, a Chinese font)
#   deploy/setup/install.sh package   to check Debian packages, and to boot a machine that has them (lintian, debootstrap, QEMU)
#   deploy/setup/install.sh cross-arm64   to compile the terminal for arm64 on another machine
#   deploy/setup/install.sh test      what the tests use beside that: independent printers, readers and renderers
#   deploy/setup/install.sh bench     what only benchmarks compare with
#   deploy/setup/install.sh lab       what the lab's virtual machine takes (make lab)
#   deploy/setup/install.sh cluster   what make cluster puts into namespaces: PostgreSQL, Patroni, etcd, HAProxy. None of them is
#                                     left running on this machine, nor started at its next boot, unless it was installed before
#
# It may be run again at any time. It says what it installs, and uses sudo only when it is not root.
set -euo pipefail

build=(gcc pkg-config libc6-dev libgl1-mesa-dev libusb-1.0-0-dev xorg-dev ca-certificates git)
run=(xvfb xauth matchbox-window-manager xdotool imagemagick libgl1-mesa-dri x11-utils x11-xserver-utils poppler-utils procps)
test=(cups-ipp-utils cups-filters dbus avahi-daemon poppler-utils qpdf zbar-tools nodejs npm psmisc chromium postgresql spin fuse3 swtpm nut-server iproute2 python3-pymodbus python3-serial-asyncio pcscd vsmartcard-vpcd alsa-utils unicode-data)
bench=(ffmpeg python3-opencv opencv-data util-linux) # the peers of the camera's preview and of finding faces
lab=(qemu-system-x86 busybox-static cpio kmod xz-utils)
# Patroni alone brings the client of another store.
cluster=(postgresql patroni python3-etcd etcd-server haproxy iproute2)

package=(lintian debootstrap qemu-system-x86 e2fsprogs x11-apps)
cross_arm64=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross libgl1-mesa-dev:arm64 libx11-dev:arm64 libxcursor-dev:arm64 libxrandr-dev:arm64 libxinerama-dev:arm64
	libxi-dev:arm64 libxxf86vm-dev:arm64 libusb-1.0-0-dev:arm64)

want=()
quiet=
for set in "$@"; do
	case "$set" in
	build) want+=("${build[@]}") ;;
	run) want+=("${run[@]}") ;;
	test) want+=("${test[@]}") ;;
	bench) want+=("${bench[@]}") ;;
	lab) want+=("${lab[@]}") ;;
	cluster) want+=("${cluster[@]}") quiet=1 ;;
	package) want+=("${package[@]}") ;;
	cross-arm64) want+=("${cross_arm64[@]}") ;;
	*)
		echo "install.sh: no set '$set': build, run, test, bench, lab, cluster, package, cross-arm64" >&2
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
case " ${missing[*]} " in
*:arm64\ *) "${as_root[@]}" dpkg --add-architecture arm64 ;;
esac
"${as_root[@]}" apt-get update -qq

# Debian starts a service when it is installed, and makes a first PostgreSQL. Policy and setting hold for this installation.
policy=/usr/sbin/policy-rc.d
created=/etc/postgresql-common/createcluster.d/budayang.conf
if [ -n "$quiet" ]; then
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
		"${as_root[@]}" chmod 755 "$policy"
		trap '"${as_root[@]}" rm -f "$policy" "$created"' EXIT
	else
		trap '"${as_root[@]}" rm -f "$created"' EXIT
	fi
	"${as_root[@]}" mkdir -p "${created%/*}"
	echo 'create_main_cluster = false' | "${as_root[@]}" tee "$created" >/dev/null
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
if [ -n "$quiet" ] && [ -d /run/systemd/system ]; then
	for p in "${missing[@]}"; do
		case "$p" in
		etcd-server) "${as_root[@]}" systemctl disable --quiet etcd ;;
		patroni | haproxy) "${as_root[@]}" systemctl disable --quiet "$p" ;;
		esac
	done
fi
