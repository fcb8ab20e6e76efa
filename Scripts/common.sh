# shellcheck shell=bash
# Sourced by the other scripts: messages, the Swift toolchain, Debian packages, test tools from PyPI.

say() { printf '==> %s\n' "$*"; }

# fail STATUS MESSAGE...: exits with a status of sysexits(3), like clairo.
fail() {
    local status=$1
    shift
    printf 'error: %s\n' "$@" >&2
    exit "$status"
}

need_swift() {
    command -v swift >/dev/null || fail 69 "no Swift toolchain found" \
        "install Swift 6.2 or later from https://swift.org/install (the toolchain for Debian 12 runs on 13 too), then run this again"
    local banner version
    banner=$(swift --version 2>&1) || {
        # A minimal Debian lacks some libraries of the toolchain itself.
        [[ $banner == *"error while loading shared libraries"* ]] && command -v apt-get >/dev/null ||
            fail 69 "swift does not start:" "$banner"
        need_packages "${toolchain_packages[@]}"
        banner=$(swift --version 2>&1) || fail 69 "swift does not start:" "$banner"
    }
    version=$(sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' <<<"$banner" | head -n 1)
    # sort -V puts the older version first. If that is not 6.2, the toolchain is too old.
    [[ $(printf '%s\n' 6.2 "${version:-0}" | sort -V | head -n 1) == 6.2 ]] || fail 69 \
        "Swift 6.2 or later is needed, found ${version:-unknown}" "install a newer version from https://swift.org/install"
}

# build_debug [ARGUMENT...]: a debug build without debug information, which takes a fifth of the compiler's time.
build_debug() { swift build -debug-info-format none "$@"; }

# need_linking: compiles every header of the wrappers, and links an empty program with every library that clairo links to, to find
# what is missing before minutes of compiling.
need_linking() {
    local folder includes libraries sources reasons
    sources=$(dirname "${BASH_SOURCE[0]}")/../Sources
    # shellcheck disable=SC2046  # words
    read -ra includes < <(pkg-config --cflags $(sed -nE 's/.*pkgConfig: "([^"]+)".*/\1/p' "$sources/../Package.swift") 2>&1)
    mapfile -t libraries < <(sed -nE 's/^ *link "([^"]+)"$/-l\1/p' "$sources"/*/module.modulemap | sort -u)
    folder=$(mktemp -d)
    printf 'import Foundation\nprint(Date())\n' >"$folder/main.swift"
    printf '#include "%s"\n' "$(realpath "$sources")"/*/shim.h >"$folder/headers.c"
    if ! { clang -D_GNU_SOURCE "${includes[@]}" -fsyntax-only "$folder/headers.c" &&
        swiftc -static-stdlib "$folder/main.swift" -o "$folder/main" "${libraries[@]}"; } >"$folder/log" 2>&1; then
        mapfile -t reasons < <(grep -E 'cannot find|unable to find|undefined|not found|error:' "$folder/log" | head -n 8)
        rm -rf "$folder"
        fail 69 "a program cannot be linked with the libraries that clairo needs:" "${reasons[@]}" \
            "on Debian, as root:  apt-get install --no-install-recommends ${build_packages[*]}"
    fi
    rm -rf "$folder"
}

# need_packages NAME...: installs missing packages. Needs root only if any is missing.
need_packages() {
    local missing=() name
    for name in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0

    local install=(apt-get install -y --no-install-recommends "${missing[@]}")
    command -v apt-get >/dev/null || fail 69 "these Debian packages are missing, and apt-get was not found: ${missing[*]}" \
        "on other systems, install the packages that contain the same libraries and headers (FFmpeg 5.1 or later, pkg-config)"
    local as_root=()
    if ((EUID != 0)); then
        # sudo may ask for a password on a terminal, but must not block without one.
        if command -v sudo >/dev/null && { [[ -t 0 && -z ${CI:-} ]] || sudo -n true 2>/dev/null; }; then
            as_root=(sudo)
        else
            fail 77 "these Debian packages are missing: ${missing[*]}" \
                "run this as root, then try again:  apt-get update && ${install[*]}"
        fi
    fi
    say "Installing ${missing[*]}"
    # env, because sudo drops environment variables.
    "${as_root[@]}" apt-get update -q || say "apt-get update failed; trying with the existing package lists"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" ||
        fail 69 "could not install: ${missing[*]}" "install them by hand, as root:  apt-get update && ${install[*]}"
}

# need_test_tools: installs the programs that tests need and that Debian does not package. Programs in the path are used if they
# are all there. Otherwise this creates a virtual environment in .build, where the fixtures also look, so `swift test` finds it.
need_test_tools() {
    local venv=$PWD/.build/test-tools python=python3 missing=() name
    export PATH=$venv/bin:$PATH
    ! cmp -s Scripts/test-tools.txt "$venv/installed" || return 0
    for name in rclone moto_server aws schemathesis; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    python3 -c 'import botocore' 2>/dev/null || missing+=(botocore)
    ((${#missing[@]})) || return 0
    # Debian's Python, because python3-venv belongs to it.
    [[ ! -x /usr/bin/python3 ]] || python=/usr/bin/python3
    say "Installing the tools of Scripts/test-tools.txt into $venv"
    rm -rf "$venv"
    mkdir -p .build
    # The list is complete: without --no-deps, pip spends a minute on finding that out.
    if "$python" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --no-deps \
        --requirement Scripts/test-tools.txt; then
        cp Scripts/test-tools.txt "$venv/installed"
        return 0
    fi
    rm -rf "$venv"
    echo "note: tests that need ${missing[*]} are skipped" >&2
}

# Libraries that a toolchain from swift.org needs and that a minimal Debian lacks.
toolchain_packages=(libncurses6 libsqlite3-0 libuuid1 zlib1g)

# Needed to build. Swift's package manager needs git and the certificates that TLS trusts; Foundation needs the C++ library of g++.
# Debian 12 and 13 have the same names.
# shellcheck disable=SC2034  # used by the scripts that source this
build_packages=(
    git ca-certificates g++ pkg-config libavcodec-dev libavformat-dev libavfilter-dev libavutil-dev
    libcurl4-openssl-dev libsqlite3-dev libmariadb-dev librdkafka-dev libseccomp-dev libssl-dev zlib1g-dev
)

# Services and independent clients for the tests. mariadb-server-core has only the programs; mariadb-server would also start a
# server. (On a machine with systemd, the packages of Prometheus, Alertmanager, Docker and its registry do start a service. Tests
# start their own, so you can `systemctl disable --now` these.)
# shellcheck disable=SC2034
test_packages=(
    mariadb-server-core mariadb-client kcat prometheus prometheus-alertmanager python3-tuspy python3-venv curl docker.io
    debootstrap binutils strace
)

# Needed by Scripts/deploy/test.
# shellcheck disable=SC2034
deploy_packages=(shellcheck docker-compose docker-registry systemd dpkg-dev binutils zsh fish)
