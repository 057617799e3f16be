#!/bin/sh
# What a wheel's data files are to an installation, these links are to an editable one: setuptools leaves data files
# out of it. Takes the environment's prefix; JupyterLab then reads the files where they are edited.
set -eu
prefix=$1
here=$(cd "$(dirname "$0")/.." && pwd)
extensions=$prefix/share/jupyter/labextensions
mkdir -p "$extensions"
[ -L "$extensions/containerlab" ] || rm -rf "$extensions/containerlab"
ln -sfn "$here/labextension" "$extensions/containerlab"
settings=$prefix/etc/jupyter/jupyter_server_config.d
mkdir -p "$settings"
ln -sf "$here/labextension/jupyter_server_config.d/containerlab.json" "$settings/containerlab.json"
