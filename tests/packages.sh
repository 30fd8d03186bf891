# packages.sh: sourced by tests/run.sh and daemon/run.sh: installs the Debian packages that are missing, and nothing else.

# as_root COMMAND... : runs it as root, through sudo where need be.
as_root() {
        if [ "$(id -u)" -eq 0 ]; then
                "$@"
        elif command -v sudo >/dev/null; then
                sudo "$@"
        else
                echo "not root, and there is no sudo, for: $*" >&2
                return 1
        fi
}

apt_install() {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@"
}

# packages_need NAME... : returns when all are installed. The package lists are fetched only when they do not do.
packages_need() {
        packages_missing=
        for package in "$@"; do
                status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null) || :
                [ "$status" = "install ok installed" ] || packages_missing="$packages_missing $package"
        done
        [ -n "$packages_missing" ] || return 0
        echo "installing:$packages_missing"
        # shellcheck disable=SC2086 # a list of words
        apt_install $packages_missing || { as_root apt-get update --quiet && apt_install $packages_missing; }
}

# promtool_need FILE : puts promtool there, out of Debian's prometheus, which is not installed: that would start it.
promtool_need() {
        [ ! -x "$1" ] || return 0
        promtool_scratch=$(mktemp -d)
        promtool_file=$(realpath -m "$1")
        mkdir -p "${promtool_file%/*}"
        (
                cd "$promtool_scratch" &&
                        { apt-get download --quiet prometheus || { as_root apt-get update --quiet && apt-get download --quiet prometheus; }; } &&
                        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && mv usr/bin/promtool "$promtool_file"
        )
        promtool_status=$?
        rm -rf "$promtool_scratch"
        return $promtool_status
}

# shellcheck disable=SC2034 # for those who source this
packages_to_build="gcc libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libjansson-dev libssl-dev libgnutls28-dev libcap-ng-dev libsystemd-dev
        libseccomp-dev"
# The node that is there does; Debian's is installed only where there is none.
command -v npm >/dev/null || packages_to_build="$packages_to_build nodejs npm"
