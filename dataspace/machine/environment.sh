#!/bin/sh
# Makes .venv from uv.lock with whatever this machine has. Arguments go to `uv sync`.
# Needs Python 3.11 or newer; everything else is found, or brought in below var/uv.
set -eu
cd "$(dirname "$0")/../.."
export UV_PYTHON_DOWNLOADS=never

python=""
for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(command -v "$candidate")
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is missing. Run: apt-get install -y python3" >&2
    exit 1
fi

# A folder with uv in it, made by the first of three ways that works.
bring_uv() {
    rm -rf var/uv
    if "$python" -m venv var/uv >/dev/null 2>&1; then
        var/uv/bin/python -m pip install --quiet --disable-pip-version-check uv && return
    fi
    rm -rf var/uv
    "$python" -m pip --version >/dev/null 2>&1 &&
        "$python" -m pip install --quiet --disable-pip-version-check --target var/uv uv
}

# Debian splits `venv` off Python; with root or an open sudo we may add it.
add_venv() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] && as="" || as="sudo -n"
    echo "Installing python3-venv …"
    $as apt-get -qq update >/dev/null &&
        $as env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install python3-venv >/dev/null
}

uv=""
for candidate in uv "$HOME/.local/bin/uv" var/uv/bin/uv; do
    if "$candidate" --version >/dev/null 2>&1; then
        uv=$candidate
        break
    fi
done
if [ -z "$uv" ]; then
    echo "Fetching uv …"
    if ! bring_uv && ! { add_venv && bring_uv; }; then
        [ "$(id -u)" = 0 ] && as="" || as="sudo "
        echo "uv could not be installed. Run: ${as}apt-get install -y python3-venv" >&2
        exit 1
    fi
    uv=var/uv/bin/uv
fi

"$uv" sync --frozen --inexact --quiet --python "$python" "$@"
