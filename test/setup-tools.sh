#!/bin/sh
# Installs the programs that the tests run beside cfs, where this is root on a Debian; elsewhere it names what is missing,
# and the tests that need it skip. Runs before any dependency is installed, so it asks for nothing but a shell.
set -eu
PATH=$PATH:/usr/sbin:/sbin
missing=

# need PACKAGE COMMAND…: the package is there if the command succeeds.
need() {
  package=$1
  shift
  "$@" >/dev/null 2>&1 || missing="$missing $package"
}

need ostree command -v ostree
need flatpak command -v flatpak
need nginx-light command -v nginx
need attr command -v setfattr
need xz-utils command -v xz
need liblzma5 sh -c 'ldconfig -p | grep -F liblzma.so.5'
need e2fsprogs command -v mkfs.ext4
need erofs-utils command -v mkfs.erofs
need btrfs-progs command -v mkfs.btrfs
need xfsprogs command -v mkfs.xfs
need fsverity command -v fsverity
need gnupg command -v gpg
need gir1.2-ostree-1.0 sh -c 'find /usr/lib -name OSTree-1.0.typelib | grep -q .'
need libgirepository1.0-dev pkg-config --exists gobject-introspection-1.0
need libcairo2-dev pkg-config --exists cairo cairo-gobject
need pkg-config command -v pkg-config
need g++ command -v c++
need make command -v make
need python3 command -v python3
need libdeflate0 sh -c 'ldconfig -p | grep -F libdeflate.so.0'
need python3-gi /usr/bin/python3 -c 'import gi'
need gir1.2-glib-2.0 /usr/bin/python3 -c 'import gi; gi.require_version("GLib", "2.0")'

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "setup-tools: not installed (by their Debian names):$missing" >&2
  exit 0
fi
echo "setup-tools: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get -q update || echo 'setup-tools: apt-get update failed, trying with the lists that are there' >&2
# shellcheck disable=SC2086 # a list of packages
apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing
