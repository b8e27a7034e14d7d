# shellcheck shell=bash disable=SC2034  # these files share their variables
# What every script here starts with: where the project is, a sane environment, plain words.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$root" || exit 1

# An environment that does not depend on who calls: cron, a container without HOME, another project's virtual environment.
umask 022
unset CDPATH PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE VIRTUAL_ENV UV_PROJECT_ENVIRONMENT UV_PYTHON
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV
export LC_ALL=C.UTF-8 UV_SYSTEM_CERTS=1 # the system's certificates: a company's proxy is known there
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then # Python of our own and Node may look elsewhere
    export SSL_CERT_FILE=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$SSL_CERT_FILE}
fi
if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then
    export HOME=$root/.cache/home
    mkdir -p "$HOME"
fi
venv=$root/.venv
tools=$root/.cache/tools # programs from PyPI that only the scripts use

# say TEXT…: one line for the person who watches.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# fail TEXT…: say it and stop.
fail() {
    say "$*"
    exit 1
}

# has PROGRAM: is it on PATH?
has() { command -v "$1" >/dev/null 2>&1; }
