# Sourced by ./check and ./demo: the Debian 12 packages that Selfsame is built and tested with, and their install.
# `sh tests/setup.sh nightly` installs those of tests/nightly.sh.
# shellcheck shell=sh

packages_build="gcc libc6-dev cmake ninja-build pkg-config
    libsqlite3-dev libsodium-dev libnng-dev libcjson-dev libcurl4-openssl-dev libqrencode-dev libexpat1-dev"
packages_test="$packages_build clang-14 libclang-rt-14-dev libcmocka-dev git
    python3-cryptography"
packages_nightly="$packages_test valgrind cppcheck clang-tidy-14"

# Prints those of the named packages that are not installed.
setup_missing() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
        [ih]i*) ;;
        *) printf ' %s' "$package" ;;
        esac
    done
}

# setup_install LOG PACKAGE...: installs what is missing, as root or with a sudo that asks nothing. Otherwise says
# what to type and returns 1. Where there is no dpkg, the build itself says what it lacks.
setup_install() {
    log=$1
    shift
    command -v dpkg-query >/dev/null || return 0
    missing=$(setup_missing "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "missing packages; as root run:" >&2
        echo "apt-get install --no-install-recommends$missing" >&2
        return 1
    fi
    # shellcheck disable=SC2086
    { $as_root apt-get update -q &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null && return 0
    tail -n 20 "$log" >&2
    echo "could not install:$missing" >&2
    return 1
}

# Run by itself, not sourced: setup.sh nightly.
case ${0##*/}:${1-} in
setup.sh:nightly)
    # shellcheck disable=SC2086
    setup_install "${TMPDIR:-/tmp}/selfsame-packages.log" $packages_nightly
    ;;
setup.sh:*)
    echo "usage: setup.sh nightly" >&2
    exit 2
    ;;
esac
