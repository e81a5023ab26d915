connect() {
    case "$TOKEN" in
        mw_site_*)
            give_token connect --url "$URL" --site-token -
            if [ -n "$SCAN" ]; then sentry scan "$SCAN" --adopt; fi
            ;;
        *)
            sentry connect --url "$URL"
            give_token add --ip "$ASIC_IP" --token -
            ;;
    esac
}

show_page() {
    say "The ASICs' page: $URL/asics"
    [ -n "$SCAN$ASIC_IP" ] || say "Add the ASICs of a network: $PROGRAM scan 192.168.1.0/24 --adopt"
}

stop_work() {
    say "The ASICs mine on; they are not reported any more."
}
