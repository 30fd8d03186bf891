#!/bin/sh
# package.sh BUILD: builds the Debian package there, and looks at it and at its units.
set -eu
cd "$(dirname "$0")/../.."
build=$1
package=$build/root

cmake --preset package -B "$build" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build"
rm -rf "$build"/*.deb "$package"
(cd "$build" && cpack -G DEB)
deb=$(echo "$build"/sockwright_*.deb)
# lintian would rather not be root, which is all the same to it.
lintian --allow-root --fail-on error "$deb"

dpkg-deb --extract "$deb" "$package"
for file in usr/sbin/sockwrightd usr/share/man/man8/sockwrightd.8.gz usr/share/doc/sockwright/copyright usr/share/doc/sockwright/grafana.json \
        usr/lib/systemd/system/sockwrightd.service usr/lib/systemd/system/sockwrightd.socket \
        usr/lib/sysusers.d/sockwright.conf usr/lib/tmpfiles.d/sockwright.conf; do
        [ -f "$package/$file" ] || { echo "not in the package: $file"; exit 1; }
done
"$package/usr/sbin/sockwrightd" --version

units=$package/usr/lib/systemd/system
systemd-analyze security --offline=true --threshold=15 --no-pager "$units/sockwrightd.service" | tail -n 1
# As installed, but for where the program is.
mkdir "$package/verify"
for unit in service socket; do
        sed "s,/usr/sbin/,$package&," "$units/sockwrightd.$unit" >"$package/verify/sockwrightd.$unit"
done
complaints=$(systemd-analyze verify --man=no "$package/verify/sockwrightd.service" "$package/verify/sockwrightd.socket" 2>&1) ||
        { echo "$complaints"; exit 1; }
[ -z "$complaints" ] || { echo "$complaints"; exit 1; }
for conf in "$package"/usr/share/doc/sockwright/drop-ins/*.conf; do
        kind=service
        ! grep -q '^\[Socket\]' "$conf" || kind=socket
        mkdir -p "$package/verify/sockwrightd.$kind.d"
        cp "$conf" "$package/verify/sockwrightd.$kind.d/"
done
complaints=$(systemd-analyze verify --man=no "$package/verify/sockwrightd.service" "$package/verify/sockwrightd.socket" 2>&1) || true
[ -z "$complaints" ] || { echo "with all drop-ins: $complaints"; exit 1; }
systemd-sysusers --dry-run "$package/usr/lib/sysusers.d/sockwright.conf"
echo "the package is sound: $deb"
