#!/bin/bash
# Runs every fuzz target of the repository for the time given (default 60s), one after the other; stops at a finding.
set -euo pipefail
cd "$(dirname "$0")/.."
for_each=${1:-60s}
tags=ci
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
	for target in $(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | sort -u); do
		echo "== $dir $target ($for_each)"
		go test -tags "$tags" -run '^$' -fuzz "^$target\$" -fuzztime "$for_each" "$dir"
	done
done
