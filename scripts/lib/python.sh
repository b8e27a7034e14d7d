# shellcheck shell=bash disable=SC2034,SC2154  # these files share their variables
# A Python 3.14 for the workshop. Needs common.sh and tools.sh.

python_wanted='>=3.14.2,<3.15'

# need_python: sets $python, the path of an interpreter. Needs $uv.
# Looks at what is there, then asks uv for a standalone build, then takes Debian's packages.
need_python() {
    export UV_PYTHON_INSTALL_DIR=$root/.python/standalone
    local private=$root/.python/debian
    if python=$(env -u UV_PYTHON_INSTALL_DIR "$uv" python find --system --no-project --no-python-downloads "$python_wanted" 2>/dev/null); then
        return
    fi
    if python=$("$uv" python find --system --no-project --no-python-downloads --managed-python "$python_wanted" 2>/dev/null); then
        return
    fi
    if [ -x "$private/usr/bin/python3.14" ] && python=$(scripts/python-from-debian "$private"); then
        return
    fi
    say "no Python 3.14 here; asking uv for one"
    local log
    mkdir -p "$root/.cache"
    log=$(mktemp "$root/.cache/python.XXXXXX")
    if UV_HTTP_RETRIES=1 "$uv" python install --no-bin 3.14 2> >(tee "$log" >&2) &&
        python=$("$uv" python find --system --no-project --no-python-downloads --managed-python "$python_wanted"); then
        rm -f "$log"
        return
    fi
    rm -f "$log"
    has dpkg-deb || fail "uv could not download Python 3.14, and this is no Debian: please install Python 3.14.2 or later"
    say "uv cannot download Python here; taking it from Debian's packages into .python/"
    need_patchelf
    python=$(scripts/python-from-debian "$private") || fail "no Python 3.14: install 3.14.2 or later and run this again"
}
