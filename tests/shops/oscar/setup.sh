#!/bin/sh
# Installs django-oscar from PyPI and seeds it. Idempotent. usage: setup.sh DIR
set -eu
DIR=$1; HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
[ -x "$DIR/venv/bin/python" ] || python3 -m venv "$DIR/venv"
"$DIR/venv/bin/python" -c 'import oscar, sorl, gunicorn, pycountry, whitenoise, whoosh' 2>/dev/null ||
  "$DIR/venv/bin/pip" install -q --disable-pip-version-check \
    'django-oscar[sorl-thumbnail]==4.2.1' 'Django==5.2.*' pycountry gunicorn==23.0.0 whitenoise==6.11.0 Whoosh==2.7.4
rm -rf "$DIR/site/shop"; mkdir -p "$DIR/site"
cp -R "$HERE/project/." "$DIR/site/"
cd "$DIR/site"
manage() { "$DIR/venv/bin/python" manage.py "$@"; }
manage migrate -v0
[ -f .countries ] || { manage oscar_populate_countries --initial-only >/dev/null && touch .countries; }
[ -f .static ] || { manage collectstatic --noinput -v0 && touch .static; }
manage shell -v0 -c 'import shop.seed; shop.seed.run()'
manage rebuild_index --noinput -v0
