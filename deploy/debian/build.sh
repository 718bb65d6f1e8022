#!/bin/bash
# Builds the Debian packages of this checkout with nfpm:  deploy/debian/build.sh [--arch amd64|arm64] [--out DIR] [--version V]
#
# arm64 is cross-compiled: Debian's aarch64 compiler and arm64 libraries are installed for it (install.sh cross-arm64).
set -euo pipefail
cd "$(dirname "$0")/../.."
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4
arch=$(go env GOARCH) out=out/packages version=
while [ $# -gt 0 ]; do
	case "$1" in
	--arch) arch=$2 ;;
	--out) out=$2 ;;
	--version) version=$2 ;;
	*) echo "build.sh: no option $1" >&2; exit 2 ;;
	esac
	shift 2
done
# Without a tag: before the version that is being worked on, growing with every commit.
if [ -z "$version" ]; then
	base=$(sed -n 's/^Version = "\(.*\)"/\1/p' FyneApp.toml)
	version=$base~r$(git rev-list --count HEAD).g$(git rev-parse --short HEAD)
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out" "$work/bin"

# What citizens use is built with the toolchain that go.mod names: older ones have known vulnerabilities.
toolchain=$(sed -n 's/^toolchain //p' go.mod)
if GOTOOLCHAIN=$toolchain go version >/dev/null 2>&1; then
	export GOTOOLCHAIN=$toolchain
else
	echo "build.sh: $toolchain cannot be reached; built with $(go env GOVERSION), which may have vulnerabilities that $toolchain has not" >&2
fi

export GOARCH=$arch
flags=(-trimpath -buildvcs=auto -ldflags "-s -w -X main.version=$version")
if [ "$arch" = arm64 ] && [ "$(go env GOHOSTARCH)" != arm64 ]; then
	deploy/setup/install.sh cross-arm64
	export CC=aarch64-linux-gnu-gcc PKG_CONFIG_PATH=/usr/lib/aarch64-linux-gnu/pkgconfig
else
	deploy/setup/install.sh build
fi
echo "build.sh: kiosk $version for $arch"
CGO_ENABLED=1 go build -buildmode=pie -tags x11,migrated_fynedo,release "${flags[@]}" -o "$work/bin/kiosk" ./cmd/kiosk
echo "build.sh: platform $version for $arch"
CGO_ENABLED=0 go build -tags release "${flags[@]}" -o "$work/bin/platform" ./cmd/platform
unset CC PKG_CONFIG_PATH

date=$(git log -1 --format=%cI)
printf -- '- semver: %s\n  date: %s\n  packager: Budayang <maintainers@budayang.example>\n  deb: {urgency: medium, distributions: [stable]}\n  changes:\n    - note: see /usr/share/doc/budayang/technician.md and the CHANGELOG of the source\n' "$version" "$date" >"$work/changelog.yaml"
{
	printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Budayang\nSource: https://github.com/budayang/kiosk\n\n'
	printf 'Files: *\nCopyright: 2026 The Budayang authors\nLicense: Apache-2.0\n On Debian systems the whole text lies in /usr/share/common-licenses/Apache-2.0.\n\n'
	printf 'Comment: what is not ours and its licences\n'
	sed -e 's/^$/./' -e 's/^/ /' THIRD_PARTY.md
} >"$work/copyright"
man() { # name, what it is, text
	printf '.TH %s 1 "%s" "Budayang %s"\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n%s\n.SH SEE ALSO\n%s\n' \
		"${1^^}" "${date%%T*}" "$version" "$1" "$2" "$3" "$4" | gzip -9n >"$work/$1.1.gz"
}
man kiosk 'self-service terminal of a government hall' \
	'The terminal and what a technician needs for it. \fBkiosk run\fR serves citizens; the other commands look at a machine and mend it; \fBkiosk \-\-help\fR lists them.' \
	'/usr/share/doc/budayang/technician.md'
man budayang-platform 'central platform of Budayang self-service terminals' \
	'\fBbudayang\-platform serve\fR serves terminals; \fBbudayang\-platform \-\-help\fR lists the other commands.' \
	'/usr/share/doc/budayang-platform/operator.md'

for p in nfpm platform; do
	sed -e "s|\${VERSION}|$version|; s|\${ARCH}|$arch|; s|\${WORK}|$work|; s|\${BIN}|$work/bin|" "deploy/debian/$p.yaml" >"$work/$p.yaml"
	GOARCH= go run "$nfpm" package --packager deb --config "$work/$p.yaml" --target "$out" >"$work/nfpm.log" 2>&1 || { cat "$work/nfpm.log" >&2; exit 1; }
done
ls "$out"/*_"$arch".deb
