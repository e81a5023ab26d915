is_enrolled() { # here already, by whatever token
    sentry status --json 2>/dev/null | "$PYTHON" -I -c '
import json, sys
status = json.load(sys.stdin)
works = status["state"] in ("online", "spooling", "stopped") and status["commander_url"] == sys.argv[1]
sys.exit(0 if works else 1)' "$URL" 2>/dev/null
}

connect() {
    case "$TOKEN" in
        mw_farm_*)
            if is_enrolled; then # a farm token can be used a number of times; this rig has used it
                say "This rig is enrolled at $URL."
                return
            fi
            ;;
    esac
    sentry enroll --url "$URL" --token "$TOKEN"
}

show_page() {
    rig=$(sentry status --json 2>/dev/null | "$PYTHON" -I -c 'import json, sys; print((json.load(sys.stdin)["rig"] or {}).get("id") or "")' 2>/dev/null) || rig=''
    say "The rig's page: $URL/cpu-gpu${rig:+/$rig}"
}

stop_work() {
    say "Mining by playbooks stops now on this rig."
    if [ -e "$HOME_DIR/current/bin/python" ]; then
        sentry leave --yes >/dev/null || say "Miners that playbooks started may still run; look with ps, or restart this machine."
    fi
}
