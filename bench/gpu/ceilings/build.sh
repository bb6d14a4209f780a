#!/usr/bin/env bash
# Builds the ceilings program: build.sh OUT [ARCH...], by default for 80 and 90a. Any warning of nvcc or g++ is an error,
# unless WERROR is empty: where something is to be measured, a newer compiler's opinion must not stand in the way.
set -euo pipefail
out="$(realpath -m "${1:?usage: build.sh OUT [ARCH...]}")"
shift
archs=("${@:-80}")
[ $# -gt 0 ] || archs=(80 90a)
cd "$(dirname "${BASH_SOURCE[0]}")"

flags=(-std=c++17 -O3 -cudart static -Xcompiler -Wall,-Wextra)
[ -z "${WERROR-1}" ] || flags+=(-Werror all-warnings -Xcompiler -Werror)
for arch in "${archs[@]}"; do flags+=(-gencode "arch=compute_$arch,code=sm_$arch"); done
objects="$(mktemp -d)"
trap 'rm -rf "$objects"' EXIT
printf '%s\n' *.cu | xargs -P "$(nproc)" -I '{}' "${NVCC:-nvcc}" "${flags[@]}" -c '{}' -o "$objects/{}.o"
mkdir -p "$(dirname "$out")"
"${NVCC:-nvcc}" -cudart static "$objects"/*.o -ldl -o "$out"
