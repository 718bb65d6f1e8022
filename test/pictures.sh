#!/bin/bash
# Makes the pictures of the README: plays two journeys on the real program and keeps what they left behind.
#
#   test/pictures.sh OUT      OUT is where the journey leaves its pictures (out/pictures)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/pictures}
to=docs/pictures
rm -rf "$out"
bin/kiosk demo --headless --journey certificate --out "$out"
mkdir -p "$to"
shot() { # ROW NAME...: one row of screens, the first of each name, of NAME+ the last
	local row=$1
	shift
	local files=()
	for n in "$@"; do
		case $n in
		*+) files+=("$(ls "$out"/screens/*[0-9]-"${n%+}".png | tail -1)") ;;
		*) files+=("$(ls "$out"/screens/*[0-9]-"$n".png | head -1)") ;;
		esac
	done
	montage "${files[@]}" -resize 300x -bordercolor '#D5DEEA' -border 1 -geometry +7+7 -background white -tile x1 -strip +dither -colors 96 "$to/$row.png"
}
shot begin attract home consent identify
shot finish form review progress done
convert "$out"/certificate-01.png -resize 420x -bordercolor '#D5DEEA' -border 1 -strip +dither -colors 32 "$to/certificate.png"
convert "$out"/receipt-01.png -resize 300x -bordercolor '#D5DEEA' -border 1 -strip +dither -colors 8 "$to/receipt.png"
bin/kiosk demo --headless --journey temporary-id --out "$out"
shot booth photo+ pick-photo decision pay
convert "$out"/card-01.png -resize 420x -bordercolor '#D5DEEA' -border 1 -strip +dither -colors 64 "$to/card.png"
convert "$(ls "$out"/receipt-*.png | tail -1)" -resize 300x -bordercolor '#D5DEEA' -border 1 -strip +dither -colors 8 "$to/ebill.png"
