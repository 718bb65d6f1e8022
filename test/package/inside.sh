#!/bin/bash
# Runs inside the machine that prove.sh boots, once at every start; /prove/phase tells how far it came.
set -euo pipefail
exec > >(tee -a /prove/log) 2>&1
phase=$(cat /prove/phase 2>/dev/null || echo 0)
id=990000-0003
export DISPLAY=:0 XAUTHORITY=/run/budayang-x/auth

finish() {
	code=$?
	if [ "$code" -ne 0 ]; then
		echo "FAILED in phase $phase"
		systemctl --no-pager status budayang budayang-x budayang-wm budayang-platform || true
		journalctl --no-pager -b -u budayang -u budayang-x -u budayang-wm -u budayang-platform | tail -60 || true
		tail -20 /var/log/Xorg.0.log 2>/dev/null || true
		echo bad >/prove/result
		sync
		systemctl poweroff
	fi
}
trap finish EXIT

until_() { # seconds, what, command
	local n=$1 what=$2
	shift 2
	for _ in $(seq $((n * 5))); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.2
	done
	echo "waited $n s in vain: $what"
	return 1
}
pid() { systemctl show -p MainPID --value budayang; }
fresh() { [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ] && systemctl is-active --quiet budayang; }
cause() { journalctl -b -u budayang -o cat | grep -o 'msg=serving .*' | tail -1; }
began() { # pid before, cause
	until_ "$3" "a new start because of $2" fresh "$1"
	until_ 10 "cause $2" sh -c "journalctl -b -u budayang -o cat | grep -o 'msg=serving .*' | tail -1 | grep -q 'cause=$2\$'"
	echo "  started anew: $(cause)"
}
# Is the panel showing what the X server has, turned as said? The host looks at its display device, and at the root window from here.
picture() { # name, turn
	local turn=${2:-normal} why=
	for _ in $(seq 12); do
		rm -f "/prove/no-$1"
		if why=$(/prove/xwd -root -silent -out "/prove/$1.xwd" 2>&1); then
			echo "$turn" >"/prove/ask"
			mv /prove/ask "/prove/wait-$1"
			for _ in $(seq 100); do
				if [ -e "/prove/go-$1" ]; then
					rm -f "/prove/go-$1"
					return 0
				fi
				[ ! -e "/prove/no-$1" ] || break
				sleep 0.2
			done
			why=$(cat "/prove/no-$1" || true)
		fi
		sleep 3
	done
	echo "no picture as it should be ($1): $why"
	return 1
}
root() { /prove/xwd -root -silent -out "/prove/$1.xwd"; }
# The first page has a broad banner of one blue.
idle() {
	root now
	perl -e 'local $/; open(my $f, "<", "/prove/now.xwd"); exit((() = <$f> =~ /\xd0\x57\x0b/g) < 20000)'
}
touched() { # much of the picture is another than before
	root now
	[ "$({ cmp -l /prove/before.xwd /prove/now.xwd || true; } | wc -l)" -gt 20000 ]
}
# What is wrong, but does not keep the rest from being seen.
fault() {
	echo "  FAULT: $1"
	echo "$1" >>/prove/faults
}
# The touch panel: a device that the kernel makes, beside the real path through udev, libinput and X.
panel="ILITEK ILITEK-TP"
plug() {
	[ -e /run/finger ] || mkfifo /run/finger
	perl /prove/touch.pl "$panel" /run/finger &
	touch_panel=$!
	until_ 20 "the touch panel in X" xinput list-props "$panel"
}
pull() {
	kill "$touch_panel"
	until_ 20 "the touch panel gone from X" sh -c "! xinput list-props '$panel'"
}
turns() { # the first six numbers of the matrix
	until_ 10 "the touch panel's matrix ($1)" sh -c "xinput list-props '$panel' | tr -d , | grep -F 'Coordinate Transformation Matrix' | grep -qF '$1'"
}
stopped() { # command: with the terminal stopped
	systemctl stop budayang
	runuser -u budayang -- env HOME=/tmp "$@"
}
chain() { # what the audit chain says, of a stopped terminal
	stopped kiosk doctor audit -c /etc/budayang/terminal.toml
}

case "$phase" in
0)
	echo "== first start, nothing configured"
	systemctl is-system-running --wait || true
	for u in budayang budayang-x budayang-platform; do
		[ "$(systemctl is-active "$u")" = inactive ] || { echo "$u runs without a configuration"; exit 1; }
	done
	[ "$(systemctl --failed --no-legend | wc -l)" -eq 0 ] || { systemctl --failed --no-legend; exit 1; }
	echo "== the platform"
	printf 'ARGS=--listen 127.0.0.1:8443\n' >/etc/budayang-platform/serve
	chown root:budayang-platform /etc/budayang-platform/serve
	chmod 640 /etc/budayang-platform/serve
	systemctl start budayang-platform
	platform() { runuser -u budayang-platform -- budayang-platform "$@" --data /var/lib/budayang-platform; }
	until_ 20 "the platform's keys" test -s /var/lib/budayang-platform/ca.pem
	echo "== the terminal: configuration, one-time code, start"
	platform ca >/etc/budayang/ca.pem
	platform enroll "$id" --by op.prove >/var/lib/budayang/code 2>/dev/null
	cat >/etc/budayang/terminal.toml <<TOML
[terminal]
id = "$id"
no = "03"
site = "示例区市民之家"
name = "03 号终端"
data = "/var/lib/budayang"
[screen]
width = 544
height = 960
diagonal_mm = 546
language = "zh"
[platform]
url = "https://127.0.0.1:8443"
ca = "ca.pem"
code_file = "/var/lib/budayang/code"
TOML
	chown root:budayang /etc/budayang/*.toml /etc/budayang/*.pem
	chown budayang:budayang /var/lib/budayang/code
	chmod 640 /etc/budayang/*.toml /etc/budayang/*.pem
	chmod 600 /var/lib/budayang/code
	at=$(date +%s%N)
	systemctl start budayang
	echo "  ready after $((($(date +%s%N) - at) / 1000000)) ms: screen, journal and devices answer; $(cause)"
	journalctl -b -u budayang -o cat | grep -q 'cause=first'
	until_ 60 "enrolment by the code in the file" test ! -e /var/lib/budayang/code
	sleep 3
	picture started
	echo "== kill -9"
	was=$(pid)
	kill -9 "$was"
	began "$was" died-signal 30
	echo "== it stands still (SIGSTOP): the watchdog"
	was=$(pid)
	kill -STOP "$was"
	began "$was" died-watchdog 60
	echo "== the X server dies"
	was=$(pid)
	kill -9 "$(systemctl show -p MainPID --value budayang-x)"
	until_ 40 "the terminal on a new X server" fresh "$was"
	until_ 20 "the window manager" systemctl is-active --quiet budayang-wm
	sleep 2
	picture x-server
	echo "== picture off and on, and turned"
	modprobe uinput
	plug
	turns "1.000000 0.000000 0.000000 0.000000 1.000000 0.000000"
	out=$(xrandr --query | sed -n 's/^\([^ ]*\) connected.*/\1/p' | head -n 1)
	xrandr --output "$out" --off
	sleep 2
	xrandr --output "$out" --auto
	sleep 3
	picture off-on
	echo ROTATE=left >>/etc/default/budayang
	was=$(pid)
	systemctl restart budayang-x
	until_ 60 "the terminal on a new X server" fresh "$was"
	xrandr --query | grep -q "^$out connected.* left "
	picture left left
	turns "0.000000 -1.000000 1.000000 1.000000 0.000000 0.000000"
	pull
	plug
	turns "0.000000 -1.000000 1.000000 1.000000 0.000000 0.000000"
	echo "  the picture is turned, and the touch panel with it, after it was pulled and put back too"
	if ! until_ 40 "the first page" idle; then
		fault "the window still shows that the terminal starts, though it serves"
		was=$(pid)
		systemctl restart budayang
		until_ 60 "the terminal once more" fresh "$was"
		until_ 40 "the first page" idle
	fi
	# A finger on what stands at 226, 513 of the turned picture (the button to the other language): there on the panel.
	sleep 3
	root before
	echo "$(awk 'BEGIN { print 513 / 544, 1 - 226 / 960 }')" >/run/finger
	until_ 30 "what the finger does" touched
	sleep 2
	picture left-touched left
	sed -i '/^ROTATE=/d' /etc/default/budayang
	systemctl restart budayang-wm
	sleep 2
	turns "1.000000 0.000000 0.000000 0.000000 1.000000 0.000000"
	picture turned-back
	pull
	echo "== a screen that is switched on later than the machine"
	connector=$(echo /sys/class/drm/card*-*/status)
	echo off >"$connector"
	was=$(pid)
	systemctl restart budayang-x
	sleep 15
	systemctl is-active --quiet budayang-wm
	! systemctl is-active --quiet budayang || { echo "the terminal serves without a screen"; exit 1; }
	echo detect >"$connector"
	udevadm trigger --action=change --subsystem-match=drm # what most drivers' kernel says by itself
	until_ 60 "the terminal on a screen that came" fresh "$was"
	picture came
	echo "== upgrade"
	chain
	stopped kiosk outbox -c /etc/budayang/terminal.toml
	systemctl start budayang
	was=$(pid)
	dpkg -i /prove/budayang_0.1.0~r2_amd64.deb
	began "$was" restart 30
	cause | grep -q 'version=0.1.0~r2'
	chain
	systemctl start budayang
	echo "== roll-back"
	was=$(pid)
	dpkg -i /prove/budayang_0.1.0~r1_amd64.deb
	began "$was" restart 30
	cause | grep -q 'version=0.1.0~r1'
	chain
	systemctl start budayang
	echo "== reboot; the X server fails at its first start"
	mkdir -p /etc/systemd/system/budayang-x.service.d
	cat >/etc/systemd/system/budayang-x.service.d/prove.conf <<'UNIT'
[Service]
ExecStartPre=/bin/sh -c '[ -e /run/prove-x ] || { touch /run/prove-x; exit 1; }'
UNIT
	echo 1 >/prove/phase
	sync
	systemctl reboot
	sleep infinity
	;;
1)
	until_ 120 "the terminal after a reboot" systemctl is-active --quiet budayang
	journalctl -b -u budayang-x -o cat | grep -q 'Failed with result'
	cause | grep -q 'cause=rebooted'
	echo "  started anew: $(cause)"
	picture rebooted
	rm -r /etc/systemd/system/budayang-x.service.d
	echo "== power cut"
	echo 2 >/prove/phase
	sync /prove/phase
	sleep 1
	touch /prove/wait-reset
	sleep infinity
	;;
2)
	until_ 60 "the terminal after a power cut" systemctl is-active --quiet budayang
	cause | grep -q 'cause=power'
	echo "  started anew: $(cause)"
	picture power
	echo "== what the journal has of all this"
	chain
	stopped kiosk outbox -c /etc/budayang/terminal.toml
	runuser -u budayang-platform -- budayang-platform audit verify --data /var/lib/budayang-platform
	echo "== what is closed"
	systemctl start budayang
	systemd-analyze security budayang.service --no-pager | tail -1
	[ "$(cat /proc/sys/kernel/sysrq)" = 0 ]
	! modprobe -n -v usb-storage 2>&1 | grep -q insmod || grep -q usb-storage /lib/modprobe.d/budayang.conf
	[ "$(stat -c %a /var/lib/budayang)" = 700 ]
	[ "$(systemctl is-enabled ctrl-alt-del.target)" = masked ] || systemctl mask --quiet ctrl-alt-del.target
	echo "== removed and purged: the record stays"
	apt-get purge -y -qq budayang >/dev/null 2>&1 || dpkg --purge budayang
	[ -s /var/lib/budayang/journal.db ]
	[ ! -e /usr/bin/kiosk ]
	[ ! -s /prove/faults ] || { cat /prove/faults; exit 1; }
	echo good >/prove/result
	sync
	systemctl poweroff
	;;
esac
