#!/bin/bash
# Measures the booth's guidance and photo on one core, beside ONNX Runtime on the same models and OpenCV's cascades on the same
# pictures, with accuracy on the derived pictures next to speed. ONNX Runtime is npm's, installed once among the peers.
#
#   test/bench/photo.sh [--rounds N] [--strict]
set -euo pipefail
cd "$(dirname "$0")/../.."
runtime=onnxruntime-node@1.27.0
for tool in npm taskset; do
	command -v "$tool" >/dev/null || { echo "photo.sh: no $tool: deploy/setup/install.sh test bench" >&2; exit 1; }
done
/usr/bin/python3 -c 'import cv2' 2>/dev/null || { echo "photo.sh: no python3-opencv: deploy/setup/install.sh bench" >&2; exit 1; }
dir=${XDG_CACHE_HOME:-$HOME/.cache}/budayang-peers/$runtime
if [ ! -e "$dir/installed" ]; then
	mkdir -p "$dir"
	# Without its scripts: they would fetch more from elsewhere.
	npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund --omit=optional "$runtime" >/dev/null ||
		{ echo "photo.sh: $runtime cannot be fetched from here; skipped"; exit 0; }
	touch "$dir/installed"
fi
case $(uname -m) in
x86_64) arch=x64 ;;
aarch64) arch=arm64 ;;
*) echo "photo.sh: ONNX Runtime has nothing for $(uname -m); skipped"; exit 0 ;;
esac
library=$(ls "$dir"/node_modules/onnxruntime-node/bin/napi-v*/linux/$arch/libonnxruntime.so.1 | tail -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd test/bench/photo && ${GO:-go} mod download && ${GO:-go} build -o "$work/photo" .) || { echo "photo.sh: its module cannot be fetched or built from here" >&2; exit 1; }
# The last core that this process may use, for all of them.
core=$(taskset -pc $$ | sed 's/.*[ ,-]//')
echo "one core ($core) of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%F)"
(cd test/bench/photo && taskset -c "$core" "$work/photo" --library "$library" "$@")
# Cutting, compressing and finding the quality is inside of a photo taken; by itself:
taskset -c "$core" ${GO:-go} test -tags ci -run '^$' -bench 'File$' -cpu 1 ./service/photo | grep Benchmark
