#!/bin/sh
# Runs inside the agent image's build. The SQLite addon comes built for the host's Node; where this image's
# Node cannot load it, gets one that fits: prebuilt if npm can fetch it, else compiled here.
set -eu
cd "$(dirname "$0")"

loads() { node -e "process.dlopen({ exports: {} }, '$PWD/better_sqlite3.node')"; }

# Fetches the prebuilt addon, or compiles it.
build_addon() { npm rebuild --foreground-scripts better-sqlite3; }

install_compiler() {
  apt-get update
  apt-get install -y --no-install-recommends python3 make g++
}

remove_compiler() {
  apt-get purge -y --auto-remove python3 make g++
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*
}

if loads 2>/dev/null; then
  rm package.json "$0"
  exit 0
fi

echo "The SQLite addon does not fit Node $(node --version); getting one that does."
if [ "${NETWORK:-}" = none ]; then
  # By this sentence Berth knows that it has to build again, with the network.
  echo "This build needs the network."
  exit 1
fi
if ! command -v npm >/dev/null; then
  echo "The base image has no npm to get it with: use a base image that has, or one with the host's Node." >&2
  exit 1
fi
# The official images have Node's headers; otherwise node-gyp fetches them.
if [ -d /usr/local/include/node ]; then export npm_config_nodedir=/usr/local; fi

npm install --ignore-scripts --no-audit --no-fund
if ! build_addon; then
  echo "It cannot be had ready-made; compiling it, which takes some minutes."
  install_compiler
  build_addon
  remove_compiler
fi
cp node_modules/better-sqlite3/build/Release/better_sqlite3.node .
rm -rf node_modules package.json package-lock.json "$0" "${HOME:-/root}/.npm" "${HOME:-/root}/.cache/node-gyp"
loads
