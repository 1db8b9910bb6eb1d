#!/bin/sh
# Serves the shop in the foreground, on 127.0.0.1 only; SIGTERM ends it. usage: start.sh DIR PORT
set -eu
cd "$1/site"
exec "$1/venv/bin/gunicorn" shop.wsgi:application -b "127.0.0.1:$2" -k gthread -w 2 --threads 4 \
  --keep-alive 15 --forwarded-allow-ips 127.0.0.1 --log-level warning
