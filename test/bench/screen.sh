#!/bin/bash
# Measures the terminal's screen beside a Chromium kiosk with equal pages, on one X server without a display and with the
# same software OpenGL: start to first paint, tap to paint, memory, idle CPU. Prints a table and writes JSON.
#
#   test/bench/screen.sh [--short] [--out FILE] [--kiosk PROGRAM] [--only kiosk|chromium] [--strict]
#
# --short takes under 90 s and says less; --strict fails when a target is missed.
set -euo pipefail
cd "$(dirname "$0")/../.."
width=1080 height=1920 # as kiosk demo --headless

for tool in Xvfb matchbox-window-manager xdotool chromium; do
	command -v "$tool" >/dev/null || { echo "screen.sh: no $tool: deploy/setup/install.sh run test installs it" >&2; exit 1; }
done
[ -x bin/kiosk ] || { echo "screen.sh: no bin/kiosk: make build" >&2; exit 1; }

work=$(mktemp -d)
server= manager=
finish() {
	for p in $manager $server; do kill "$p" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

CGO_ENABLED=0 ${GO:-go} build -o "$work/screen" ./test/bench/screen

# The server keeps its picture in a file: whoever maps it sees every pixel at once, at no cost to what is measured.
mkdir "$work/fb"
Xvfb -displayfd 3 -screen 0 ${width}x${height}x24 -fbdir "$work/fb" -nolisten tcp -nocursor -s 0 -dpms -noreset 3>"$work/number" 2>/dev/null &
server=$!
for _ in $(seq 200); do
	[ -s "$work/number" ] && break
	sleep 0.05
done
[ -s "$work/number" ] || { echo "screen.sh: Xvfb did not start" >&2; exit 1; }
DISPLAY=:$(tr -d '[:space:]' <"$work/number")
export DISPLAY LIBGL_ALWAYS_SOFTWARE=1
matchbox-window-manager -use_titlebar no 2>/dev/null &
manager=$!
sleep 0.3

status=0
"$work/screen" --picture "$work/fb/Xvfb_screen0" --server "$server" --twin test/bench/screen/twin.html --work "$work" "$@" || status=$?
exit $status
