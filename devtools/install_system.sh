#!/usr/bin/env bash
# Installs what the tests need of the system: Debian's packages, by name. Without root it says what to install.
set -euo pipefail

present() {
    case "$1" in
        chromium) [ -x /usr/bin/chromium ] ;;
        fonts-*) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
        postgresql) compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
for package in "$@"; do
    present "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests need: ${missing[*]}. Install with: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    # The tests start servers of their own; without this Debian would make and start one that nobody asked for.
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
