#!/bin/bash
# Proves the Debian packages: they install on a clean Debian 12, and start there under systemd in a machine of its own (QEMU),
# where the terminal survives kill -9, standing still, reboots and a power cut, and an upgrade and a roll-back keep its journal.
#
#   test/package/prove.sh [--dir DIR] [--keep] [--boot] [--gpu DEVICE]
#
# The display device is QEMU's plain VGA, which scans out of memory as most real ones do; --gpu virtio-vga has to be told of every
# change, and Debian 12's X server does not do that for a turned picture (docs/technician.md).
#
# Must be root. The last line is "package: proved", or the exit code is not 0. DIR takes some 4 GB; pictures of the screen
# are put into out/package.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=bookworm mirror=${MIRROR:-http://deb.debian.org/debian}
dir= keep= boot= gpu=VGA
while [ $# -gt 0 ]; do
	case "$1" in
	--dir) dir=$2; shift ;;
	--keep) keep=1 ;;
	--boot) boot=1 ;; # the disk that an earlier run with --keep left
	--gpu) gpu=$2; shift ;;
	*) echo "prove.sh: no option $1" >&2; exit 2 ;;
	esac
	shift
done
[ "$(id -u)" -eq 0 ] || { echo "prove.sh: debootstrap and the disk's image need root" >&2; exit 1; }
deploy/setup/install.sh package
[ -n "$dir" ] || dir=$(mktemp -d)
mkdir -p "$dir/share"
dir=$(cd "$dir" && pwd -P)
root=$dir/root vm=
finish() {
	[ -z "$vm" ] || kill "$vm" 2>/dev/null || true
	for m in proc sys dev; do
		if mountpoint -q "$root/$m"; then umount -l "$root/$m"; fi
	done
	[ -n "$keep" ] || rm -rf --one-file-system "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -z "$boot" ]; then
rm -rf "$dir/old" "$dir/new"
deploy/debian/build.sh --out "$dir/old" --version 0.1.0~r1
deploy/debian/build.sh --out "$dir/new" --version 0.1.0~r2
lintian --allow-root --fail-on error "$dir"/new/*.deb

if [ ! -e "$root/sbin/init" ]; then
	echo "prove.sh: debootstrap $suite"
	debootstrap --variant=minbase --include=systemd-sysv,udev,dbus,kmod,initramfs-tools,linux-image-amd64,ca-certificates \
		"$suite" "$root" "$mirror" >"$dir/debootstrap.log" 2>&1 || { tail -20 "$dir/debootstrap.log" >&2; exit 1; }
fi
printf 'deb %s %s main\n' "$mirror" "$suite" >"$root/etc/apt/sources.list"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
for f in /etc/apt/apt.conf.d/*proxy*; do
	if [ -e "$f" ]; then cp "$f" "$root$f"; fi
done
for m in proc sys dev; do
	mountpoint -q "$root/$m" || mount --bind "/$m" "$root/$m"
done
cp "$dir"/old/*.deb "$root/tmp/"
echo "prove.sh: apt install in a clean chroot"
chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive $(env | grep -iE '^(https?|no)_proxy=' || true) \
	sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends --reinstall --allow-downgrades /tmp/*.deb' >"$dir/apt.log" 2>&1 || { tail -20 "$dir/apt.log" >&2; exit 1; }
rm "$root"/tmp/*.deb
chroot "$root" /usr/bin/kiosk version
for unit in budayang-x budayang-wm budayang budayang-platform; do
	chroot "$root" systemctl is-enabled --quiet "$unit" || { echo "prove.sh: $unit is not enabled" >&2; exit 1; }
done
chroot "$root" systemd-analyze verify budayang.service budayang-wm.service budayang-x.service budayang-platform.service

cat >"$root/etc/systemd/system/prove.service" <<'UNIT'
[Unit]
Description=What prove.sh wants to see
After=multi-user.target
[Service]
Type=simple
ExecStartPre=/bin/mkdir -p /prove
ExecStartPre=/bin/mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 prove /prove
ExecStart=/bin/bash /prove/inside.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=graphical.target
UNIT
chroot "$root" systemctl enable --quiet prove.service
chroot "$root" sh -c 'printf "9p\n9pnet_virtio\nvirtio_pci\nvirtio_blk\nbochs\next4\n" >>/etc/initramfs-tools/modules; update-initramfs -u' >/dev/null 2>&1
for m in proc sys dev; do umount -l "$root/$m"; done
echo "prove.sh: the disk"
rm -f "$dir/clean"
truncate -s 4G "$dir/clean"
mkfs.ext4 -q -F -d "$root" "$dir/clean"
fi
# What happens inside is in inside.sh, which the machine reads from here at every start.
cp test/package/inside.sh test/package/touch.pl "$(command -v xwd)" "$dir"/old/*r1*.deb "$dir"/new/*r2*.deb "$dir/share/"
rm -f "$dir"/share/{phase,result,log,faults,wait-*,go-*,no-*,*.xwd}
cp --sparse=always "$dir/clean" "$dir/disk"

# KVM only where the processor says so itself: a /dev/kvm that opens may be one that ordinary kernels hang in.
accel=(-accel tcg,thread=multi -cpu Nehalem) # Mesa writes AVX code where it can, and what emulates AVX fails at it
if [ -w /dev/kvm ] && grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo; then
	accel=(-accel kvm -cpu host)
fi
kernel=$(ls "$root"/boot/vmlinuz-* | tail -1) initrd=$(ls "$root"/boot/initrd.img-* | tail -1)
echo "prove.sh: a machine with $(basename "$kernel"), ${accel[1]}"
qemu-system-x86_64 "${accel[@]}" -M q35 -smp 2 -m 2048 -kernel "$kernel" -initrd "$initrd" \
	-append "root=/dev/vda rw console=ttyS0 quiet mitigations=off systemd.show_status=0" \
	-drive "file=$dir/disk,format=raw,if=virtio,cache=unsafe" -device "$gpu,xres=544,yres=960" -display none \
	-fsdev "local,id=share,path=$dir/share,security_model=none" -device virtio-9p-pci,fsdev=share,mount_tag=prove \
	-nic user,restrict=on -serial "file:$dir/serial" -monitor "unix:$dir/monitor,server,nowait" &
vm=$!
mkdir -p out/package
monitor() { python3 - "$dir/monitor" "$1" <<'PY'
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(3)
time.sleep(0.2); s.recv(65536)
s.sendall((sys.argv[2] + "\n").encode()); time.sleep(1.0)
PY
}
# The machine asks about a picture by making wait-NAME, and goes on when go-NAME is there; no-NAME says what is wrong with it.
end=$((SECONDS + 2400))
while kill -0 "$vm" 2>/dev/null; do
	for w in "$dir"/share/wait-*; do
		[ -e "$w" ] && [ ! -e "$dir/share/result" ] || continue
		name=${w##*/wait-}
		case "$name" in
		reset) rm -f "$w"; monitor system_reset; continue ;;
		esac
		monitor "screendump $dir/$name.ppm"
		if why=$(python3 test/package/picture.py "$dir/$name.ppm" "$dir/share/$name.xwd" "$(cat "$w")" 2>&1); then answer=go; else answer=no; fi
		if command -v convert >/dev/null; then convert "$dir/$name.ppm" "out/package/$name.png" || true; fi
		rm -f "$w"
		echo "$why" >"$dir/share/$answer.new"
		mv "$dir/share/$answer.new" "$dir/share/$answer-$name"
	done
	[ "$SECONDS" -lt "$end" ] || { echo "prove.sh: the machine did not come to an end" >&2; tail -30 "$dir/serial" >&2; exit 1; }
	sleep 0.5
done
vm=
cat "$dir/share/log"
[ "$(cat "$dir/share/result" 2>/dev/null)" = good ] || { echo "prove.sh: not proved" >&2; tail -30 "$dir/serial" >&2; exit 1; }
echo "package: proved"
