#!/usr/bin/env bash
# Installs what the tests need of the system: Debian's packages, by name. Without root it says what to install.
# `promtool` and `nginx` go into .tools, because their packages would start a server; the tests can do without them, and
# without `systemd`, whose 5 MB have `systemd-analyze` and start nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

present() {
    case "$1" in
        chromium) [ -x /usr/bin/chromium ] ;;
        fonts-* | lib*) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
        systemd) command -v systemd-analyze >/dev/null ;;
        promtool | nginx) [ -x ".tools/$1" ] || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;;
        python3-venv) python3 -c "import ensurepip" 2>/dev/null ;;
        postgresql) compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

fetch_alone() { # PROGRAM PACKAGE...: takes a program out of the first package that has it
    local program=$1 folder package found
    shift
    folder=$(mktemp -d)
    for package in "$@"; do
        (cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq "$package" && dpkg-deb --extract ./"${package}"_*.deb .) \
            2>/dev/null || continue
        found=$(compgen -G "$folder/usr/*bin/$program") && install -D "$found" ".tools/$program" && break
    done
    if ldd ".tools/$program" 2>/dev/null | grep -q "not found"; then
        rm ".tools/$program" # it needs libraries that are not here
    fi
    [ -x ".tools/$program" ] || echo "$program could not be fetched out of Debian's packages: its tests are skipped." >&2
    rm -rf "$folder"
}

may_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

missing=()
alone=()
for package in "$@"; do
    if present "$package"; then
        continue
    elif [ "$package" = promtool ] || [ "$package" = nginx ]; then
        alone+=("$package")
    elif [ "$package" = systemd ] && ! may_install; then
        echo "There is no systemd-analyze here: its tests are skipped." >&2
    else
        missing+=("$package")
    fi
done

if [ ${#missing[@]} -gt 0 ] && ! may_install; then
    echo "The tests need: ${missing[*]}. Install with: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
if ! may_install; then
    alone=()
fi
if [ ${#missing[@]} -gt 0 ] || [ ${#alone[@]} -gt 0 ]; then
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
for program in ${alone[@]+"${alone[@]}"}; do
    case "$program" in
        promtool) fetch_alone promtool promtool prometheus ;; # Debian 13 and newer have it in a package of its own
        nginx) fetch_alone nginx nginx ;;
    esac
done
