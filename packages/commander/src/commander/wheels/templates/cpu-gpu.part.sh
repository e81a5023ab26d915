connect() { # with a farm token again: the sentry sees that this rig is enrolled, and uses up nothing
    give_token enroll --url "$URL" --token -
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
