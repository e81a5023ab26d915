#!/bin/sh
# Installs or removes Minewarden's sentry for @KIND@. All that it fetches comes from the commander at
# @ADDRESS@. Nothing runs before the last line, so half a download does nothing.
set -eu
umask 022

URL=@URL@
PROGRAM=@PROGRAM@
MODULE=@MODULE@
DISTRIBUTION=@DISTRIBUTION@
VERSION=@VERSION@
SETTING=@SETTING@
ACCOUNT=@ACCOUNT@ # the user that it runs as; empty: root
CHILDREN=@CHILDREN@ # the user of what it starts, which may enter its folder
HOME_DIR=@HOME_DIR@ # the program; for rigs also its data
DATA_DIR=@DATA_DIR@
SERVICE=$DISTRIBUTION
UNIT=/etc/systemd/system/$SERVICE.service
LINK=/etc/systemd/system/multi-user.target.wants/$SERVICE.service
COMMAND=/usr/local/bin/$PROGRAM
PIP_WHEEL=@PIP_WHEEL@
PIP_SHA256=@PIP_SHA256@
PYTHON='' TOKEN='' ASIC_IP='' SCAN='' DRY='' UNINSTALL='' START=yes CA='' WORK=''

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "$PROGRAM" "$*" >&2
    exit 1
}

usage() {
    say "usage: sh -s -- [TOKEN] @USAGE@[--dry-run] [--no-start]; without TOKEN you are asked for it"
    say "       sh -s -- --uninstall [--dry-run]"
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --dry-run) DRY=yes ;;
            --uninstall) UNINSTALL=yes ;;
            --no-start) START='' ;;
            --ip | --scan)
                [ $# -gt 1 ] || { usage >&2; exit 2; }
                if [ "$1" = --ip ]; then ASIC_IP=$2; else SCAN=$2; fi
                shift
                ;;
            --help)
                usage
                exit 0
                ;;
            mw_*) TOKEN=$1 ;;
            *)
                printf '%s: %s is neither a token nor an option.\n' "$PROGRAM" "$1" >&2
                usage >&2
                exit 2
                ;;
        esac
        shift
    done
}

# --- what this machine must have ---

check_system() {
    [ "$(uname -s)" = Linux ] || die "This script is for Linux; the commander's page has the line for Windows."
    if [ -z "$DRY" ] && [ "$(id -u)" -ne 0 ]; then
        die "This needs root: put sudo before sh."
    fi
    if [ -n "$ACCOUNT" ]; then
        for tool in useradd runuser; do
            command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || die "The program $tool is missing; apt-get install passwd util-linux"
        done
    fi
}

add_found() { # several names may lead to one Python
    case "$found," in
        *" $1,"*) ;;
        *) found="${found:+$found,} $1" ;;
    esac
}

find_python() {
    found=''
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$candidate") || continue
        version=$("$path" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case "$version" in
            3.11 | 3.12 | 3.13 | 3.14) ;;
            *)
                add_found "$version"
                continue
                ;;
        esac
        if "$path" -I -c 'import venv, ssl, sqlite3, ctypes' 2>/dev/null; then
            PYTHON=$path
            return
        fi
        add_found "$version (without venv, ssl or sqlite3)"
    done
    if [ -n "$found" ]; then
        die "The sentry needs Python 3.11, 3.12, 3.13 or 3.14 with venv, ssl and sqlite3. This machine has Python$found. On Debian 12, Ubuntu 24.04 or newer: apt-get install python3"
    fi
    die "The sentry needs Python, and this machine has none. On Debian 12, Ubuntu 24.04 or newer: apt-get install python3"
}

ask_token() { # a token that is typed here is in no list of processes, and in no history of a shell
    [ -z "$TOKEN" ] || return 0
    (: </dev/tty) 2>/dev/null || return 0 # no terminal
    trap 'stty echo </dev/tty; exit 130' INT TERM HUP
    stty -echo </dev/tty
    printf 'Token: ' >/dev/tty
    IFS= read -r TOKEN </dev/tty || true
    stty echo </dev/tty
    printf '\n' >/dev/tty
    trap - INT TERM HUP
}

check_token() {
    case "$TOKEN" in
        @TOKENS@) ;;
        '') die "The token is missing; copy the whole line from the commander." ;;
        *) die "This token is of another kind; copy the line for @KIND@ from the commander." ;;
    esac
    case "$TOKEN" in
        mw_asic_*) [ -n "$ASIC_IP" ] || die "Say which ASIC this token is for: add --ip and its address." ;;
    esac
}

# --- installing ---

make_work() {
    WORK=$(mktemp -d)
    chmod 755 "$WORK"
    trap 'rm -rf "$WORK"' EXIT
    trap 'exit 130' INT TERM HUP
    cat >"$WORK/ca.pem" <<'END_OF_CA'
@CA@
END_OF_CA
    if grep -q BEGIN "$WORK/ca.pem"; then CA=$WORK/ca.pem; fi
}

fetch_pip() { # Debian's Python has none without python3-venv
    "$PYTHON" -I - "$URL/packages/files/$PIP_WHEEL" "$PIP_SHA256" "$WORK/$PIP_WHEEL" "$CA" <<'END_OF_PYTHON' || die "$URL could not be read; check the network, and the name and the port of the commander."
import hashlib, ssl, sys, urllib.request
url, sha256, path, ca = sys.argv[1:]
secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None))
try:
    with urllib.request.build_opener(secure, urllib.request.ProxyHandler({})).open(url, timeout=60) as answer:
        wheel = answer.read()
except OSError as error:
    sys.exit(f"{url}: {error}")
if hashlib.sha256(wheel).hexdigest() != sha256:
    sys.exit(f"{url} is damaged.")
with open(path, "wb") as file:
    file.write(wheel)
END_OF_PYTHON
}

install_version() {
    environment=$HOME_DIR/versions/$VERSION
    if [ -e "$environment/.installed" ] && "$environment/bin/python" -I -c "import $MODULE" 2>/dev/null; then
        say "Version $VERSION is there."
    else
        say "Installing version $VERSION into $HOME_DIR …"
        fetch_pip
        rm -rf "$environment" # a part of an interrupted installation
        mkdir -p "$HOME_DIR/versions"
        "$PYTHON" -I -m venv --without-pip "$environment" || die "The virtual environment $environment can't be made."
        env -i PATH="$PATH" HOME="$WORK" PIP_CONFIG_FILE=/dev/null "$environment/bin/python" "$WORK/$PIP_WHEEL/pip" \
            install --isolated --quiet --no-input --no-cache-dir --disable-pip-version-check --root-user-action ignore \
            --only-binary :all: --index-url "$URL/packages/" ${CA:+--cert "$CA"} "$DISTRIBUTION==$VERSION" ||
            die "The sentry can't be installed from $URL/packages/; type the line again, or \`commander fetch-packages\` on the commander."
        : >"$environment/.installed"
    fi
    if [ "$(readlink "$HOME_DIR/current")" != "versions/$VERSION" ]; then
        rm -f "$HOME_DIR/update-wanted.json" "$HOME_DIR/update-trial.json" # an update that is being tried ends here
        ln -sfn "versions/$VERSION" "$HOME_DIR/.current.new"
        mv -fT "$HOME_DIR/.current.new" "$HOME_DIR/current"
    fi
    [ -n "$ACCOUNT" ] || copy_launcher # the commander updates sentries that run as root
}

report_installed() { # for the page with the line; without this step the sentry is installed as well
    TOKEN=$TOKEN "$HOME_DIR/current/bin/python" -I - "$URL" "$CA" <<'END_OF_PYTHON' 2>/dev/null || true
import os, ssl, sys, urllib.request
url, ca = sys.argv[1:]
secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None))
bearer = {"Authorization": "Bearer " + os.environ["TOKEN"]}
call = urllib.request.Request(url + "/api/v1/sentry/installed", data=b"", headers=bearer, method="POST")
urllib.request.build_opener(secure, urllib.request.ProxyHandler({})).open(call, timeout=10).close()
END_OF_PYTHON
}

copy_launcher() { # the small program that starts the newest version, and goes back to the last one if that fails
    launcher=$("$HOME_DIR/current/bin/python" -I -c 'import pathlib, sentry_kit; print(pathlib.Path(sentry_kit.__file__).parent / "launcher.py")')
    if [ -e "$launcher" ]; then
        cp "$launcher" "$HOME_DIR/.launcher.new"
        mv -f "$HOME_DIR/.launcher.new" "$HOME_DIR/launcher.py"
    fi
}

make_folders() {
    if [ -n "$ACCOUNT" ] && ! id "$ACCOUNT" >/dev/null 2>&1; then
        PATH=$PATH:/usr/sbin useradd --system --home-dir "$DATA_DIR" --no-create-home --shell /usr/sbin/nologin "$ACCOUNT"
    fi
    mkdir -p "$HOME_DIR" "$DATA_DIR"
    if [ -n "$CHILDREN" ]; then chmod 711 "$DATA_DIR"; else chmod 700 "$DATA_DIR"; fi
    [ -z "$ACCOUNT" ] || chown "$ACCOUNT:" "$DATA_DIR"
}

write_command() { # so that people need neither the folder nor the user's name
    if [ -e "$COMMAND" ] && ! grep -q "^# Minewarden:" "$COMMAND"; then
        say "$COMMAND is another program's; the sentry's commands are at $HOME_DIR/current/bin/$PROGRAM."
        return
    fi
    cat >"$COMMAND" <<END_OF_COMMAND
#!/bin/sh
# Minewarden: the installed sentry's commands, with its data.
exec ${ACCOUNT:+runuser -u $ACCOUNT -- }env $SETTING=$DATA_DIR $HOME_DIR/current/bin/python -I -m $MODULE "\$@"
END_OF_COMMAND
    chmod 755 "$COMMAND"
}

sentry() { # one of its commands, with the service's data, as the service's user
    if [ -n "$ACCOUNT" ]; then
        PATH=$PATH:/usr/sbin runuser -u "$ACCOUNT" -- env "$SETTING=$DATA_DIR" "$HOME_DIR/current/bin/python" -I -m "$MODULE" "$@"
    else
        env "$SETTING=$DATA_DIR" "$HOME_DIR/current/bin/python" -I -m "$MODULE" "$@"
    fi
}

give_token() { # in a pipe: all users of this machine can see the arguments of a program
    printf '%s\n' "$TOKEN" | sentry "$@"
}

root_sentry() {
    env "$SETTING=$DATA_DIR" "$HOME_DIR/current/bin/python" -I -m "$MODULE" "$@"
}

@CONNECTING@
install_all() {
    check_system
    find_python
    ask_token
    check_token
    if [ -n "$DRY" ]; then
        say "This would, and nothing was changed now:"
        say "- make the user $ACCOUNT$CHILDREN"
        say "- install $DISTRIBUTION $VERSION from $URL/packages/ into $HOME_DIR, by $PYTHON"
        say "- write the command $COMMAND"
        say "- connect it to $URL with this token; its data is in $DATA_DIR"
        say "- write the service $UNIT, enable it${START:+ and start it}"
        exit 0
    fi
    make_work
    make_folders
    install_version
    report_installed
    write_command
    connect
    if [ ! -d /etc/systemd/system ]; then
        say "This system has no systemd, so there is no service. Start the sentry by: $PROGRAM run"
    elif [ -n "$START" ]; then
        root_sentry install-service
    else
        root_sentry install-service --no-start
    fi
    show_page
}

# --- removing ---

remove_all() {
    check_system
    if [ -n "$DRY" ]; then
        say "This would, and nothing was changed now:"
        say "- @STOPPING@"
        say "- remove the service $UNIT, the command $COMMAND, and the folders $HOME_DIR and $DATA_DIR"
        say "- remove the user $ACCOUNT$CHILDREN"
        exit 0
    fi
    stop_work
    if [ -d /run/systemd/system ] && [ -e "$UNIT" ]; then
        systemctl disable --now "$SERVICE" >/dev/null 2>&1 || true
    fi
    rm -f "$UNIT" "$LINK"
    rmdir "${LINK%/*}" 2>/dev/null || true # only if it is empty, as systemctl does
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
    fi
    if [ -e "$COMMAND" ] && grep -q "^# Minewarden:" "$COMMAND"; then rm -f "$COMMAND"; fi
    rm -rf "$HOME_DIR" "$DATA_DIR"
    for user in $ACCOUNT $CHILDREN; do
        if id "$user" >/dev/null 2>&1; then
            PATH=$PATH:/usr/sbin userdel "$user" || say "The user $user could not be removed: userdel $user"
        fi
    done
    say "The sentry is removed. The commander still lists what it reported; remove it there."
}

main() {
    read_arguments "$@"
    if [ -n "$UNINSTALL" ]; then
        remove_all
    else
        install_all
    fi
}

main "$@"
