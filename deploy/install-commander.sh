#!/bin/sh
# Installs the commander on this machine, as a service that starts with it: sudo sh deploy/install-commander.sh
#
# It is built from the checkout around this file. With a folder of wheels (`make dist`, a release) these are installed:
# sudo sh deploy/install-commander.sh dist. Type it again to update. --no-start: do not start the service now.
set -eu
umask 022

PREFIX=/opt/minewarden
COMMAND=/usr/local/bin/commander
SETTINGS=/etc/minewarden/commander.env

die() {
    printf 'install-commander: %s\n' "$*" >&2
    exit 1
}

main() {
    folder='' start=''
    for word in "$@"; do
        case "$word" in
            --no-start) start=--no-start ;;
            -*) die "$word is not an option; there is --no-start." ;;
            *) folder=$word ;;
        esac
    done
    [ "$(uname -s)" = Linux ] || die "This script is for Linux with systemd."
    [ "$(id -u)" -eq 0 ] || die "This needs root: sudo sh $0"
    python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        die "Python 3.11 or newer is needed: apt-get install python3 python3-venv (Debian 12, Ubuntu 24.04 or newer)"
    python3 -I -c 'import ensurepip' 2>/dev/null || die "Python's pip is missing: apt-get install python3-venv"
    [ -d /etc/systemd/system ] || die "This system has no systemd; deploy/README.md says how to run the commander yourself."
    [ -e "$PREFIX/bin/python" ] || python3 -I -m venv "$PREFIX"
    if [ -n "$folder" ]; then
        set -- "$folder"/minewarden_commander-*.whl
        [ -e "$1" ] || die "There is no wheel of the commander in $folder."
        "$PREFIX/bin/pip" install --quiet --disable-pip-version-check --find-links "$folder" "$1"
    else
        root=$(cd "$(dirname "$0")/.." && pwd)
        "$PREFIX/bin/pip" install --quiet --disable-pip-version-check "$root/packages/protocol" "$root/packages/commander"
    fi
    write_command
    commander install-service --packages-follow $start
    commander fetch-packages
}

write_command() { # so that people need neither the folder nor the user's name
    if [ -e "$COMMAND" ] && ! grep -q "^# Minewarden:" "$COMMAND"; then
        die "$COMMAND is another program's; move it away."
    fi
    cat >"$COMMAND" <<END_OF_COMMAND
#!/bin/sh
# Minewarden: the commands of the commander that runs here as a service, with its data and settings, as its user.
export COMMANDER_DATA_DIR=/var/lib/minewarden-commander
# A line of the settings is data, as it is for systemd: it is never run.
if [ -r $SETTINGS ]; then
    while read -r line || [ -n "\$line" ]; do
        name=\${line%%=*}
        name=\${name%"\${name##*[! ]}"}
        value=\${line#*=}
        value=\${value#"\${value%%[! ]*}"}
        case "\$name" in
            "\$line" | *[!A-Z0-9_]*) continue ;;
            COMMANDER_* | SSL_CERT_FILE | SSL_CERT_DIR | HTTP_PROXY | HTTPS_PROXY | NO_PROXY) ;;
            *) continue ;;
        esac
        case "\$value" in
            \"*\" | \'*\')
                value=\${value#?}
                value=\${value%?}
                ;;
        esac
        export "\$name=\$value"
    done <$SETTINGS
fi
case "\${1:-}" in
    install-service | uninstall-service) exec $PREFIX/bin/commander "\$@" ;;
    *) exec runuser -u minewarden-commander -- $PREFIX/bin/commander "\$@" ;;
esac
END_OF_COMMAND
    chmod 755 "$COMMAND"
    commander() { "$COMMAND" "$@"; }
}

main "$@"
