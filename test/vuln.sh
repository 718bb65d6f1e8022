#!/bin/bash
# test/vuln.sh [--latest]: govulncheck over the whole tree, with the toolchain that go.mod names.
#
# The database is Go's own vulnerability reports (CC-BY 4.0) in the version below, which come through the module proxy like every other
# dependency and are indexed by the reports' own tool: the same tree gives the same result tomorrow. --latest asks vuln.go.dev
# instead. What cannot be reached is said, and skipped. Ends with 3 where a vulnerability is called from here.
set -euo pipefail
cd "$(dirname "$0")/.."
check=golang.org/x/vuln/cmd/govulncheck@v1.3.0
reports=v0.0.0-20261105234957-e22db6528018
tags=ci

skip() { echo "govulncheck: $1 cannot be reached from here; skipped"; exit 0; }

toolchain=$(sed -n 's/^toolchain //p' go.mod)
GOTOOLCHAIN=$toolchain timeout 90 go version >/dev/null 2>&1 || skip "the toolchain $toolchain"
export GOTOOLCHAIN=$toolchain

if [ "${1:-}" = --latest ]; then
	timeout 20 curl -sf -o /dev/null https://vuln.go.dev/index/db.json || skip "its database"
	exec go run "$check" -tags "$tags" ./...
fi
db=${XDG_CACHE_HOME:-$HOME/.cache}/budayang-peers/vulndb-$reports
if [ ! -e "$db/index/db.json" ]; then
	found=$(cd / && timeout 90 go mod download -json "golang.org/x/vulndb@$reports") || skip "its database"
	reports_dir=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$found")
	rm -rf "$db.new"
	timeout 300 go run "golang.org/x/vulndb/cmd/indexdb@$reports" -vulns "$reports_dir/data/osv" -out "$db.new" || skip "what indexes its database"
	rm -rf "$db" && mv "$db.new" "$db"
fi
echo "govulncheck with $toolchain, vulnerability reports $reports"
exec go run "$check" -db "file://$db" -tags "$tags" ./...
