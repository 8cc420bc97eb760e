use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::NamedTempFile;

/// No service manager runs where the guide is tried. What is typed at one is done by this, as the unit says: its user, its
/// directories, its command, and that it is ready before the command returns.
const PROGRAM: &str = r#"#!/bin/bash
set -eu
verb=$1
shift
[ "${1:-}" = --now ] && shift && [ "$verb" = enable ] && verb=start
[ "$verb" = daemon-reload ] && exit
unit=${1%.service}
file=$(ls /etc/systemd/system/$unit.service /usr/lib/systemd/system/$unit.service /lib/systemd/system/$unit.service 2>/dev/null | head -n 1)
[ -n "$file" ] || { echo "Unit $unit.service could not be found." >&2; exit 4; }
value() { sed -n "s/^$1=//p" "$file" | tail -n 1; }
pid() { cat "/run/$unit.pid" 2>/dev/null; }
runs() { [ -n "$(pid)" ] && kill -0 "$(pid)" 2>/dev/null; }
start() {
    runs && return
    user=$(value User)
    for directory in $(value StateDirectory); do
        install -d -o "$user" -g "$user" -m "$(value StateDirectoryMode)" "/var/lib/$directory"
    done
    # What the one before has said.
    rm -f "/run/$unit.out"
    sockets=+net_bind_service
    setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps="-all,$sockets" --ambient-caps="-all,$sockets" \
        $(value ExecStart) </dev/null >"/run/$unit.out" 2>"/run/$unit.log" &
    echo $! >"/run/$unit.pid"
    for _ in $(seq 1200); do
        grep -qs '^ready' "/run/$unit.out" && return
        runs || break
        sleep 0.05
    done
    cat "/run/$unit.log" >&2
    exit 1
}
stop() {
    runs || return 0
    kill "$(pid)"
    while runs; do sleep 0.05; done
}
case $verb in
start) start ;;
stop) stop ;;
restart) stop; start ;;
reload) $(value ExecReload) ;;
enable | disable) ;;
status | is-active) runs && echo active || { echo inactive; exit 3; } ;;
*) echo "Unknown command verb $verb." >&2; exit 1 ;;
esac
"#;

/// That program, for as long as this is kept.
pub(crate) fn program() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(PROGRAM.as_bytes()).unwrap();
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o755))
        .unwrap();
    file
}
