#!/usr/bin/env bash
# Installs what the tests need of the system: Debian's packages, by name. Without root it says what to install.
# `promtool` goes into .tools, for Debian 12's package of it, prometheus, would start a server; the tests can do
# without it.
set -euo pipefail
cd "$(dirname "$0")/.."

present() {
    case "$1" in
        chromium) [ -x /usr/bin/chromium ] ;;
        fonts-* | lib*) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
        promtool) [ -x .tools/promtool ] || command -v promtool >/dev/null ;;
        python3-venv) python3 -c "import ensurepip" 2>/dev/null ;;
        postgresql) compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

fetch_promtool() { # Debian 13 and newer have it in a package of its own
    local folder package
    folder=$(mktemp -d)
    for package in promtool prometheus; do
        (cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq $package && dpkg-deb --extract ./${package}_*.deb .) \
            2>/dev/null || continue
        [ -x "$folder/usr/bin/promtool" ] && install -D "$folder/usr/bin/promtool" .tools/promtool && break
    done
    [ -x .tools/promtool ] || echo "promtool could not be fetched out of Debian's packages: its test is skipped." >&2
    rm -rf "$folder"
}

missing=()
promtool=present
for package in "$@"; do
    if present "$package"; then
        continue
    elif [ "$package" = promtool ]; then
        promtool=missing
    else
        missing+=("$package")
    fi
done

may_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

if [ ${#missing[@]} -gt 0 ] && ! may_install; then
    echo "The tests need: ${missing[*]}. Install with: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
if [ ${#missing[@]} -gt 0 ] || { [ $promtool = missing ] && may_install; }; then
    apt-get update -qq
fi
if [ ${#missing[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
    if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        # The tests start servers of their own; without this Debian would make and start one that nobody asked for.
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
[ $promtool = present ] || fetch_promtool
